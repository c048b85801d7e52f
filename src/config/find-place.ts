import { readTextFile } from '../settings/text-file.ts'
import type { YamlNode } from '../settings/yaml-node.ts'
import { parseYaml } from './yaml.ts'

/** Keys of maps and numbers of list items, from the top of a file. */
export type PlacePath = readonly (string | number)[]

/**
 * Where things stand in a file that can be used: `pubsub.yaml, line 7, column 5`, or where the innermost thing around it does.
 * A file that is not there has its name alone for a place.
 */
export function placesIn(file: string): (path: PlacePath) => string {
  let root: YamlNode | null
  try {
    ;({ root } = parseYaml(readTextFile(file), file))
  } catch {
    root = null
  }
  return (path) => {
    if (root === null) return file
    let node: YamlNode | undefined = root
    let { line, column } = root
    for (const key of path) {
      const found = below(node, key)
      if (found === undefined) break
      ;({ line, column } = found.spot)
      ;({ node } = found)
    }
    return `${file}, line ${line}, column ${column}`
  }
}

function below(node: YamlNode | undefined, key: string | number) {
  if (node?.type === 'list' && typeof key === 'number') {
    const item = node.items[key]
    return item === undefined ? undefined : { node: item, spot: item }
  }
  if (node?.type !== 'map' || typeof key !== 'string') return undefined
  const entry = node.entries.get(key)
  return entry === undefined ? undefined : { node: entry.value, spot: entry }
}
