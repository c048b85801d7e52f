import { placesIn } from '../config/find-place.ts'
import { loadSettings, nodesOf } from '../config/load.ts'
import { SETTINGS } from '../config/schema.ts'
import { printable } from '../ops/logger.ts'
import type { Fields } from '../settings/section.ts'
import type { YamlNode } from '../settings/yaml-node.ts'
import { readArguments } from './arguments.ts'
import { EXIT } from './exit-code.ts'
import { FILE_OPTIONS, FILE_OPTIONS_HELP, filesOf } from './file-options.ts'
import type { Command } from './run-command.ts'

const HELP = `pubsubd config: prints each setting, what it is, and where that is given: a flag, a variable, the file, or the default.

Usage: pubsubd config [options]

${FILE_OPTIONS_HELP}

Durations that are defaults are in seconds, sizes in bytes. Of a section that is off one line says so. No secret is printed: settings name files that hold them.

Exit code: 0 printed, 1 the settings cannot be used, 2 wrong usage.

Examples:
  pubsubd config
  PUBSUBD_PORT=8080 pubsubd config | grep PUBSUBD_
`

export const configCommand: Command = { help: HELP, options: FILE_OPTIONS, run: config }

async function config(words: readonly string[]): Promise<number> {
  const { settings: source } = filesOf(readArguments(words, FILE_OPTIONS, 0).values)
  loadSettings(source) // what is wrong is told as by the server
  const where = placesIn(source)
  const root = nodesOf(source)
  for (const { path, value, isGiven } of settingsOf(SETTINGS.fields!, root, [])) {
    const place = isGiven ? where(path) : 'default'
    process.stdout.write(printable(`${path.join('.')}: ${value}  # ${place}`) + '\n')
  }
  return EXIT.done
}

interface Shown {
  readonly path: readonly string[]
  readonly value: string
  readonly isGiven: boolean
}

function settingsOf(fields: Fields, node: YamlNode | null, above: readonly string[]): Shown[] {
  return Object.entries(fields).flatMap(([name, { key, fields: below, fallback }]) => {
    const path = [...above, key]
    const given = givenIn(node, key)
    // A section that is off unless it is there says nothing of what is in it.
    if (below !== undefined && !(given === null && fallback === null))
      return settingsOf(below, given, path)
    if (given === null) return [{ path, value: shownDefault(name, fallback), isGiven: false }]
    const value = UNSHOWN.has(key) ? '(not shown)' : shownNode(given)
    return [{ path, value, isGiven: true }]
  })
}

function givenIn(node: YamlNode | null, key: string): YamlNode | null {
  const found = node?.type === 'map' ? (node.entries.get(key)?.value ?? null) : null
  return found?.type === 'scalar' && found.text === null ? null : found
}

/** As one would write it, but for names without their quotes where YAML does not need any. */
function shownNode(node: YamlNode): string {
  if (node.type === 'scalar') return scalarText(node.text ?? 'null')
  if (node.type === 'list') return `[${node.items.map(shownNode).join(', ')}]`
  const entries = Array.from(
    node.entries,
    ([key, { value }]) => `${scalarText(key)}: ${shownNode(value)}`,
  )
  return `{${entries.join(', ')}}`
}

function scalarText(text: string): string {
  return /^[\w./@%+-]+$/.test(text) ? text : JSON.stringify(text)
}

/** By the names of the program, which say the unit. */
function shownDefault(name: string, value: unknown): string {
  if (value === null || value === undefined) return 'none'
  if (typeof value === 'number' && /Ms(?:Max)?$/.test(name)) return `${value / 1_000}s`
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** A section of PyPubSub's that is not served, and may hold keys of a cloud. */
const UNSHOWN: ReadonlySet<string> = new Set(['sqs'])
