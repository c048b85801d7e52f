import type { Fields } from '../settings/section.ts'
import { SETTINGS, type Settings } from './schema.ts'

/** Settings that count at once when the files are read again; the others count from the next start on. */
const RELOADED: ReadonlySet<string> = new Set([
  'clients.payloaders',
  'clients.secure_topics',
  'log.format',
  'log.level',
  'protocols.jetblack.jwt.secret',
  'protocols.jetblack.passwords',
  'protocols.jetblack.tls.cert',
  'server.tls.cert',
  'server.tls.key',
  'server.tls.chain',
])

export interface ChangedSettings {
  /** Those that count at once. */
  readonly now: readonly string[]
  /** Those that count from the next start on. */
  readonly later: readonly string[]
}

/** Paths of the settings that differ, `server.port`. */
export function changedSettings(before: Settings, after: Settings): ChangedSettings {
  const all = changes(SETTINGS.fields!, before, after, '')
  return {
    now: all.filter((path) => RELOADED.has(path)),
    later: all.filter((path) => !RELOADED.has(path)),
  }
}

function changes(fields: Fields, before: unknown, after: unknown, above: string): string[] {
  return Object.entries(fields).flatMap(([name, { key, fields: below }]) => {
    const path = `${above}${key}`
    const [one, other] = [valueOf(before, name), valueOf(after, name)]
    if (isSame(one, other)) return []
    if (below === undefined || one === null || other === null) return [path]
    const found = changes(below, one, other, `${path}.`)
    if (found.length > 0) return found
    // Values that were made of several settings do not say of which.
    return path.endsWith('.tls') ? [`${path}.cert`] : [path]
  })
}

function valueOf(values: unknown, name: string): unknown {
  return (values as Readonly<Record<string, unknown>>)[name]
}

/** Wherever in the file it stands. */
function isSame(one: unknown, other: unknown): boolean {
  return textOf(one) === textOf(other)
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (key, each: unknown) => {
    if (key === 'where') return undefined
    return each instanceof Map ? [...(each as ReadonlyMap<unknown, unknown>)] : each
  })
}
