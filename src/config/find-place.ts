import { readTextFile } from '../settings/text-file.ts'
import type { Spot, YamlNode } from '../settings/yaml-node.ts'
import { withGiven } from './given-settings.ts'
import type { SettingsSource } from './load.ts'
import { parseYaml } from './yaml.ts'

/** Keys of maps and numbers of list items, from the top of a file. */
export type PlacePath = readonly (string | number)[]

/**
 * Where things stand in a file that can be used: `pubsub.yaml, line 7, column 5`, or where the innermost thing around it does.
 * A file that is not there has its name alone for a place.
 */
export function placesIn(
  source: Pick<SettingsSource, 'file' | 'given'> | string,
): (path: PlacePath) => string {
  const { file, given } = typeof source === 'string' ? { file: source, given: [] } : source
  let root: YamlNode | null
  try {
    root = withGiven(parseYaml(readTextFile(file), file).root, given)
  } catch {
    root = given.length === 0 ? null : withGiven(NOTHING, given)
  }
  return (path) => {
    if (root === null) return file
    let node: YamlNode | undefined = root
    let spot: Spot = root
    for (const key of path) {
      const found = below(node, key)
      if (found === undefined) break
      ;({ spot, node } = found)
    }
    return spot.source ?? `${file}, line ${spot.line}, column ${spot.column}`
  }
}

const NOTHING: YamlNode = { type: 'scalar', text: null, line: 1, column: 1 }

function below(node: YamlNode | undefined, key: string | number) {
  if (node?.type === 'list' && typeof key === 'number') {
    const item = node.items[key]
    return item === undefined ? undefined : { node: item, spot: item }
  }
  if (node?.type !== 'map' || typeof key !== 'string') return undefined
  const entry = node.entries.get(key)
  return entry === undefined ? undefined : { node: entry.value, spot: entry }
}
