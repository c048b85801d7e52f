import { existsSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { ConfigError } from '../settings/config-error.ts'
import { shownKey, type Place } from '../settings/place.ts'
import { pathsOf } from '../settings/section.ts'
import { withGiven, type GivenSetting } from './given-settings.ts'
import { SETTINGS, type Settings } from './schema.ts'
import { readTextFile } from '../settings/text-file.ts'
import { Warnings } from '../settings/warnings.ts'
import type { YamlNode } from '../settings/yaml-node.ts'
import { parseYaml } from './yaml.ts'

/** Where settings stand. */
export interface SettingsSource {
  readonly file: string
  /** What counts before the file. */
  readonly given: readonly GivenSetting[]
  readonly mayBeAbsent: boolean
}

/**
 * Reads `pubsub.yaml`.
 * @throws {ConfigError} its message names file, line and key, what is wrong, and what to do.
 */
export function loadSettings(source: SettingsSource | string): {
  readonly settings: Settings
  readonly warnings: readonly string[]
} {
  const { file, root, duplicateKeys } = read(source)
  const warnings = new Warnings()
  for (const { key, line, firstLine } of duplicateKeys)
    warnings.add(
      `${file}, line ${line}: the key ${shownKey(key)} is given again (first on line ${firstLine}). The last one counts`,
    )
  const { line, column } = root
  const place: Place = { file, line, column, path: '', warnings, settings: SETTING_PATHS }
  const settings = readOrTellAll(root, place)
  if (settings.clients.payloaders.length === 0)
    warnings.add(
      `${file}: clients.payloaders lists no address, so nobody may publish by address (--publishers)`,
    )
  return { settings, warnings: warnings.texts }
}

/** What is given, wherever. @throws {ConfigError} as `loadSettings`. */
export function nodesOf(source: SettingsSource): YamlNode {
  return read(source).root
}

function read(source: SettingsSource | string) {
  const { file, given, mayBeAbsent } =
    typeof source === 'string' ? { file: source, given: [], mayBeAbsent: false } : source
  const { root, duplicateKeys } = parseYaml(textOf(file, mayBeAbsent), file)
  return { file, root: withGiven(root, given), duplicateKeys }
}

/** Without any file it is said how to have one. */
function textOf(file: string, mayBeAbsent: boolean): string {
  try {
    return readTextFile(file)
  } catch (error) {
    if (
      !(error instanceof ConfigError) ||
      (error.cause as NodeJS.ErrnoException | undefined)?.code !== 'ENOENT'
    )
      throw error
    if (mayBeAbsent) return WITHOUT_FILE
    const other = join(dirname(file), PYPUBSUB_FILE)
    const advice =
      basename(file) !== PYPUBSUB_FILE && existsSync(other)
        ? `${other} is there, as PyPubSub has it: --config ${other}`
        : 'name yours by --config FILE, copy the pubsub.yaml that comes with pubsubd and change it, or start without one: ' +
          'pubsubd --port 2069 --publishers 127.0.0.1'
    throw new ConfigError(`there is no ${resolve(file)}: ${advice}`, { cause: error.cause })
  }
}

/** The sections that no file may leave out, and a store that keeps something, if there is one. */
const WITHOUT_FILE = 'server: {backlog: {size: 100000}}\nclients: {}\n'

/** What PyPubSub reads unless told otherwise. */
const PYPUBSUB_FILE = 'pypubsub.yaml'

const SETTING_PATHS = pathsOf(SETTINGS.fields!)

/** @throws {ConfigError} with the warnings. */
function readOrTellAll(root: YamlNode, place: Place): Settings {
  try {
    return SETTINGS.read(root, place)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const { message, problems } = error
    throw new ConfigError(message, { cause: error, problems, warnings: place.warnings.texts })
  }
}
