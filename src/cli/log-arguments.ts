import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ParseArgsOptionsConfig } from 'node:util'
import { loadSettings } from '../config/load.ts'
import { readArguments } from './arguments.ts'
import { filesOf } from './file-options.ts'
import { STORE_OPTIONS } from './log-options.ts'

/**
 * Options and names of a command that needs a store.
 * @throws {UsageError}
 */
export function readLogArguments<T extends ParseArgsOptionsConfig>(
  words: readonly string[],
  options: T,
  namesMax: number,
) {
  return readArguments(words, { ...options, ...STORE_OPTIONS }, namesMax)
}

/**
 * The directory of the store, which `--store` names, or else the settings.
 * @throws {Error} there is none.
 */
export function storeDirectory({
  config,
  store,
}: {
  readonly config?: string | undefined
  readonly store?: string | undefined
}): string {
  if (store !== undefined) return storeNamed(store)
  const { settings: source } = filesOf({ config })
  const { storage } = loadSettings(source).settings.server.backlog
  if (storage !== null) return `${storage}.pubsubd`
  throw new Error(
    `${source.file} has no server.backlog.storage, so its events are in memory only; name a store with --store DIR`,
  )
}

/** The server takes the name without `.pubsubd`, too. */
function storeNamed(name: string): string {
  const whole = `${name}.pubsubd`
  return !existsSync(name) && existsSync(whole) ? whole : name
}

/** @throws {Error} there is no store in that directory. */
export function existingStore(options: Parameters<typeof storeDirectory>[0]): string {
  const directory = storeDirectory(options)
  if (existsSync(join(directory, 'events.db'))) return directory
  throw new Error(
    `${directory} holds no store (there is no events.db in it); the server makes one when it starts with ` +
      'server.backlog.storage, or name another one with --store DIR',
  )
}
