import { ConfigError } from '../settings/config-error.ts'
import { placeBelow, shown, spotOf, type Place } from '../settings/place.ts'
import { readTextFile } from '../settings/text-file.ts'
import { anyText, entriesOf, isGiven, list, map, type Reader } from '../settings/values.ts'
import { Warnings } from '../settings/warnings.ts'
import type { YamlEntry, YamlNode } from '../settings/yaml-node.ts'
import { parseYaml } from './yaml.ts'

/** A user of `pubsub_acl.yaml`. */
export interface AclUser {
  /** `''` is a name like any other. */
  readonly name: string
  /** Where its name stands: `pubsub_acl.yaml, line 7, column 1`. */
  readonly where: string
  /** As written. `null`: never logs in. */
  readonly password: string | null
  /** Segment name to topics; a segment without topics covers every private event. */
  readonly segments: ReadonlyMap<string, readonly string[]>
  /** Secured topics the user may publish to. */
  readonly secureTopics: readonly string[]
}

export interface AclFile {
  readonly users: readonly AclUser[]
  readonly warnings: readonly string[]
  /** There is no such file. */
  readonly missing: boolean
}

const USER_KEYS: readonly string[] = ['password', 'acl', 'topics']

const NO_SEGMENTS: AclUser['segments'] = new Map()

/**
 * Reads `pubsub_acl.yaml`. A user with a broken entry has no rights; the others are unaffected. No message shows a value
 * or an unknown key: either may be a password.
 * @throws {ConfigError} the file as a whole cannot be used.
 */
export function loadAclFile(file: string): AclFile {
  const text = readIfThere(file)
  if (text === null) {
    const warnings = [`${file} does not exist, so nobody can log in and nobody sees private events`]
    return { users: [], warnings, missing: true }
  }
  const { root, duplicateKeys } = parseYaml(text, file)
  const warnings = new Warnings()
  for (const { key, line, firstLine, depth } of duplicateKeys)
    warnings.add(
      `${file}, line ${line}: ${depth === 1 ? `user ${shown(key)}` : 'a key'} is given again ` +
        `(first on line ${firstLine}). The last one counts`,
    )
  if (!isGiven(root)) return { users: [], warnings: warnings.texts, missing: false }

  const place: Place = {
    file,
    line: root.line,
    column: root.column,
    path: '',
    warnings,
    settings: [],
  }
  const users = Array.from(entriesOf(root, place), ([name, entry]) =>
    readUser(name, entry.value, placeBelow(place, name, entry)),
  )
  return { users, warnings: warnings.texts, missing: false }
}

function readUser(name: string, node: YamlNode, place: Place): AclUser {
  let isBroken = false
  const unlessBroken = <T>(fallback: T, read: () => T): T => {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      isBroken = true
      place.warnings.add(`${error.message}. User ${shown(name)} gets no rights`)
      return fallback
    }
  }
  const entries = unlessBroken(new Map<string, YamlEntry>(), () => entriesOf(node, place))
  const field = <T>(key: string, fallback: T, reader: Reader<T>): T => {
    const entry = entries.get(key)
    if (!isGiven(entry?.value)) return fallback
    const { value } = entry
    return unlessBroken(fallback, () => reader(value, placeBelow(place, key, entry)))
  }

  const password = field('password', null, anyText) || null
  const segments = field('acl', NO_SEGMENTS, map(list(anyText)))
  const secureTopics = field('topics', [], list(anyText))
  for (const [key, { line }] of entries)
    if (!USER_KEYS.includes(key))
      place.warnings.add(
        `${place.file}, line ${line}: user ${shown(name)} has an unknown key here, not one of ` +
          `${USER_KEYS.join(', ')}. It is ignored`,
      )
  const where = spotOf(place)
  if (isBroken) return { name, where, password, segments: NO_SEGMENTS, secureTopics: [] }
  return { name, where, password, segments, secureTopics }
}

function readIfThere(file: string): string | null {
  try {
    return readTextFile(file)
  } catch (error) {
    const cause = error instanceof ConfigError ? error.cause : null
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
    throw error
  }
}
