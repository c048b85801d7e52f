import { ConfigError } from './config-error.ts'
import type { Warnings } from './warnings.ts'
import type { Spot } from './yaml-node.ts'

/** Longest piece of a file's text that a message repeats, in characters. */
const SHOWN_MAX = 60

/** Where a value stands: how every message about it begins. */
export interface Place extends Spot {
  readonly file: string
  /** Keys from the top, `server.port`; empty for the whole file. */
  readonly path: string
  readonly warnings: Warnings
  /** The paths of all settings that there are. Whoever writes one of them in another section is told where it stands. */
  readonly settings: readonly string[]
}

export function placeBelow(place: Place, key: string, { line, column, source }: Spot): Place {
  const name = shownKey(key)
  return {
    ...place,
    line,
    column,
    source,
    path: place.path === '' ? name : `${place.path}.${name}`,
  }
}

export function describePlace(place: Place): string {
  return `${spotOf(place)}: ${place.path || 'the file'}`
}

export function spotOf({ file, line, column, source }: Place): string {
  return source ?? `${file}, line ${line}, column ${column}`
}

export function refuse(place: Place, problem: string, cause?: unknown): never {
  throw new ConfigError(`${describePlace(place)} ${problem}`, { cause })
}

/** Text from a file as a message shows it: quoted and short. */
export function shown(text: string): string {
  return JSON.stringify(text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text)
}

/** An ordinary key stands in a message as it is, any other quoted. */
export function shownKey(key: string): string {
  return /^[\w-]{1,60}$/.test(key) ? key : shown(key)
}
