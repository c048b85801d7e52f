/** A value in a YAML file. Aliases share nodes; there are no cycles, and never more nodes to walk than `parseYaml` allows. */
export type YamlNode = YamlScalar | YamlList | YamlMap

/** Where something begins in a file, from 1. */
export interface Spot {
  readonly line: number
  readonly column: number
  /** Where it is given instead of in a file: a flag, a variable of the environment. */
  readonly source?: string | undefined
}

interface YamlScalar extends Spot {
  readonly type: 'scalar'
  /** As written: `007` is `007`. `null`: nothing, or `null` or `~` without quotes. */
  readonly text: string | null
}

export interface YamlList extends Spot {
  readonly type: 'list'
  readonly items: readonly YamlNode[]
}

export interface YamlMap extends Spot {
  readonly type: 'map'
  /** Merge keys (`<<`) are already carried out. */
  readonly entries: ReadonlyMap<string, YamlEntry>
}

/** The spot is the key's. */
export interface YamlEntry extends Spot {
  readonly value: YamlNode
}
