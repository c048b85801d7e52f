import { ConfigError } from '../settings/config-error.ts'
import { shownKey, type Place } from '../settings/place.ts'
import { pathsOf } from '../settings/section.ts'
import { SETTINGS, type Settings } from './schema.ts'
import { readTextFile } from '../settings/text-file.ts'
import { Warnings } from '../settings/warnings.ts'
import type { YamlNode } from '../settings/yaml-node.ts'
import { parseYaml } from './yaml.ts'

/**
 * Reads `pubsub.yaml`.
 * @throws {ConfigError} its message names file, line and key, what is wrong, and what to do.
 */
export function loadSettings(file: string): {
  readonly settings: Settings
  readonly warnings: readonly string[]
} {
  const { root, duplicateKeys } = parseYaml(readTextFile(file), file)
  const warnings = new Warnings()
  for (const { key, line, firstLine } of duplicateKeys)
    warnings.add(
      `${file}, line ${line}: the key ${shownKey(key)} is given again (first on line ${firstLine}). The last one counts`,
    )
  const { line, column } = root
  const place: Place = { file, line, column, path: '', warnings, settings: SETTING_PATHS }
  const settings = readOrTellAll(root, place)
  if (settings.clients.payloaders.length === 0)
    warnings.add(`${file}: clients.payloaders lists no address, so nobody may publish by address`)
  return { settings, warnings: warnings.texts }
}

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
