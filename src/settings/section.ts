import { ConfigError } from './config-error.ts'
import { nearestName } from './nearest-name.ts'
import { placeBelow, refuse, type Place } from './place.ts'
import { entriesOf, isGiven, type Reader } from './values.ts'
import type { YamlNode } from './yaml-node.ts'

/** One key of a section: its name in the file and what its value becomes. */
export interface Setting<T> {
  readonly key: string
  /** `undefined`: the key is not there. The place is the setting's own. */
  readonly read: (node: YamlNode | undefined, place: Place) => T
  /** What operators are told of it, in `pubsub.yaml`. */
  readonly described?: Description | undefined
  /** Those of a section. */
  readonly fields?: Fields | undefined
}

/** What operators are told of a setting: `describeSection` makes the comments of `pubsub.yaml` of it. */
export interface Description {
  /** What it is, its unit, and what it means to leave it out. Plain sentences. */
  readonly about: string
  /** Its default, as one writes it. Absent: it has none, or is a section. */
  readonly shown?: string
  /** A value to show in place of the default. */
  readonly example?: string
}

export type Fields = Readonly<Record<string, Setting<unknown>>>

/** Reads a map whose keys are known. */
interface SectionReader<T> extends Reader<T> {
  readonly fields: Fields
}

/** What a section's settings become, under the names the program uses. */
type Values<F extends Fields> = {
  readonly [Name in keyof F]: F[Name] extends Setting<infer T> ? T : never
}

export function setting<T>(
  key: string,
  fallback: NoInfer<T>,
  reader: Reader<T>,
  described?: Description,
): Setting<T> {
  return {
    key,
    described,
    fields: fieldsOf(reader),
    read: (node, place) => (isGiven(node) ? reader(node, place) : fallback),
  }
}

export function optional<T>(
  key: string,
  reader: Reader<T>,
  described?: Description,
): Setting<T | null> {
  return setting<T | null>(key, null, reader, described)
}

export function required<T>(key: string, reader: Reader<T>, described?: Description): Setting<T> {
  return {
    key,
    described,
    fields: fieldsOf(reader),
    read: (node, place) =>
      isGiven(node)
        ? reader(node, place)
        : refuse(place, 'is missing; it has no default and must be given'),
  }
}

/** A section that need not be there: then all its settings have their defaults. */
export function section<F extends Fields>(
  key: string,
  fields: F,
  described?: Description,
): Setting<Values<F>> {
  const reader = sectionReader(fields)
  return {
    key,
    described,
    fields,
    read: (node, place) =>
      reader(
        isGiven(node)
          ? node
          : { type: 'map', entries: new Map(), line: place.line, column: place.column },
        place,
      ),
  }
}

/** Reads a map that has these settings; warns of any other key. */
export function sectionReader<F extends Fields>(fields: F): SectionReader<Values<F>> {
  const names = Object.values(fields).map((field) => field.key)
  const reader: Reader<Values<F>> = (node, place) => {
    const entries = entriesOf(node, place)
    for (const [key, entry] of entries)
      if (!names.includes(key)) warnOfUnknownKey(key, names, placeBelow(place, key, entry), place)
    const values: Record<string, unknown> = {}
    const errors: ConfigError[] = []
    for (const [name, { key, read }] of Object.entries(fields)) {
      const entry = entries.get(key)
      try {
        values[name] = read(entry?.value, placeBelow(place, key, entry ?? place))
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error
        errors.push(error)
      }
    }
    // All of them at once: whoever corrects one need not start again to hear of the next.
    if (errors.length > 0) throw ConfigError.ofMany(errors)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the loop gave each name its value
    return values as Values<F>
  }
  return Object.assign(reader, { fields })
}

function fieldsOf(reader: Reader<unknown>): Fields | undefined {
  return 'fields' in reader ? (reader as SectionReader<unknown>).fields : undefined
}

function warnOfUnknownKey(
  key: string,
  names: readonly string[],
  { file, line, path, warnings }: Place,
  parent: Place,
) {
  const nearest = nearestName(key, names)
  const advice =
    nearest === null ? '.' : `, did you mean ${placeBelow(parent, nearest, parent).path}?`
  warnings.add(`${file}: unknown key ${path} (line ${line})${advice} It is ignored`)
}
