import { nearestName } from '../settings/nearest-name.ts'
import type { YamlEntry, YamlMap, YamlNode } from '../settings/yaml-node.ts'

/** A setting that may also be given by a flag or a variable of the environment. */
interface Giveable {
  /** Keys from the top. */
  readonly path: readonly string[]
  /** What a text means there. */
  readonly nodeOf: (text: string, source: string) => YamlNode
}

/** By the names of their flags; the variable of `log-format` is `PUBSUBD_LOG_FORMAT`. */
const GIVEABLE: Readonly<Record<string, Giveable>> = {
  port: { path: ['server', 'port'], nodeOf: scalar },
  bind: { path: ['server', 'bind'], nodeOf: scalar },
  store: {
    path: ['server', 'backlog', 'storage'],
    nodeOf: (text, source) => scalar(storageOf(text), source),
  },
  publishers: { path: ['clients', 'payloaders'], nodeOf: listOfWords },
  'log-format': { path: ['log', 'format'], nodeOf: scalar },
  'log-level': { path: ['log', 'level'], nodeOf: scalar },
}

/** As the command line takes them. */
export const GIVEN_OPTIONS = {
  port: { type: 'string' },
  bind: { type: 'string' },
  store: { type: 'string' },
  publishers: { type: 'string' },
  'log-format': { type: 'string' },
  'log-level': { type: 'string' },
} as const

type GivenOptions = { readonly [flag in keyof typeof GIVEN_OPTIONS]?: string | undefined }

export interface GivenSetting {
  readonly path: readonly string[]
  readonly node: YamlNode
}

/** A flag counts before a variable; both count before a file. */
export function givenSettings(
  flags: GivenOptions,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): readonly GivenSetting[] {
  return Object.entries(GIVEABLE).flatMap(([flag, { path, nodeOf }]) => {
    const variable = variableOf(flag)
    const ofFlag = (flags as Readonly<Record<string, string | undefined>>)[flag]
    // An empty variable is one that somebody has left out, as a file of a container's variables has it.
    const text = ofFlag ?? (environment[variable] || undefined)
    const source = ofFlag === undefined ? variable : `--${flag}`
    return text === undefined ? [] : [{ path, node: nodeOf(text, source) }]
  })
}

/** Of variables that look as if they were for us, and are not, one sentence each. */
export function warningsOfVariables(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): readonly string[] {
  const known = [...Object.keys(GIVEABLE).map(variableOf), ...OTHER_VARIABLES]
  const unknown = Object.keys(environment).filter(
    (name) => /^PUBSUBD_(?!TEST_|HOSTILE_)/.test(name) && !known.includes(name),
  )
  return unknown.map((name) => {
    const nearest = nearestName(name, known)
    return `the variable ${name} is none of pubsubd${nearest === null ? '.' : `, did you mean ${nearest}?`} It is ignored`
  })
}

/** What else the command line reads. */
const OTHER_VARIABLES = ['PUBSUBD_CONFIG', 'PUBSUBD_ACL', 'PUBSUBD_USER', 'PUBSUBD_PASSWORD']

function variableOf(flag: string): string {
  return `PUBSUBD_${flag.toUpperCase().replaceAll('-', '_')}`
}

/** The settings of a file with those that are given elsewhere in their places. */
export function withGiven(root: YamlNode, given: readonly GivenSetting[]): YamlNode {
  return given.reduce((all, { path, node }) => put(all, path, node), root)
}

/** What is no map is told as that, and nothing is put into it. */
function put(into: YamlNode, [key, ...rest]: readonly string[], node: YamlNode): YamlNode {
  const isAbsent = into.type === 'scalar' && into.text === null
  if (into.type !== 'map' && !isAbsent) return into
  const entries = new Map<string, YamlEntry>(isAbsent ? [] : (into as YamlMap).entries)
  const { line, column, source } = node
  const below = entries.get(key!)
  const value =
    rest.length === 0
      ? node
      : put(below?.value ?? { type: 'scalar', text: null, line, column, source }, rest, node)
  const spot = rest.length === 0 ? { line, column, source } : (below ?? { line, column, source })
  entries.set(key!, { ...spot, value })
  return { type: 'map', entries, line: into.line, column: into.column, source: into.source }
}

function scalar(text: string, source: string): YamlNode {
  return { type: 'scalar', text, line: 1, column: 1, source }
}

/** With commas or spaces between them, as they are in no address. */
function listOfWords(text: string, source: string): YamlNode {
  const items = text.split(/[\s,]+/).filter((word) => word !== '')
  return {
    type: 'list',
    items: items.map((word) => scalar(word, source)),
    line: 1,
    column: 1,
    source,
  }
}

/** The directory, as the commands of `log` name it, or what a file would have for it. */
function storageOf(text: string): string {
  return text.replace(/\.pubsubd\/?$/, '')
}
