import { readAll } from './config-error.ts'
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
  /** What its value is where it is not given, as the program has it. */
  readonly fallback?: unknown
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
export interface SectionReader<T> extends Reader<T> {
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
    fallback,
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

/** What must hold between the settings of a section. What is not there could not be read, and is told anyway. */
type Rule<F extends Fields> = (values: Partial<Values<F>>, place: Place) => void

/** Reads a map that has these settings; warns of any other key. What breaks a rule is told with all else that is wrong. */
export function sectionReader<F extends Fields>(
  fields: F,
  rules: readonly Rule<F>[] = [],
): SectionReader<Values<F>> {
  const names = Object.values(fields).map((field) => field.key)
  const reader: Reader<Values<F>> = (node, place) => {
    const entries = entriesOf(node, place)
    for (const [key, entry] of entries)
      if (!names.includes(key)) warnOfUnknownKey(key, names, placeBelow(place, key, entry), place)
    const values: Record<string, unknown> = {}
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each name has the value of its reader
    const typed = values as Values<F>
    const fieldsThenRules = [
      ...Object.entries(fields).map(([name, field]) => () => {
        const entry = entries.get(field.key)
        values[name] = field.read(entry?.value, placeBelow(place, field.key, entry ?? place))
      }),
      ...rules.map((rule) => () => rule(typed, place)),
    ]
    readAll(fieldsThenRules, (step) => step())
    return typed
  }
  return Object.assign(reader, { fields })
}

/** A section whose settings must also go together: what `judge` makes of them once each is right by itself. */
export function judged<T, R>(
  read: SectionReader<T>,
  judge: (values: T, place: Place) => R,
): SectionReader<R> {
  const reader: Reader<R> = (node, place) => judge(read(node, place), place)
  return Object.assign(reader, { fields: read.fields })
}

/** Keys from the top, `server.port`, of all settings and sections below this one. */
export function pathsOf(fields: Fields): readonly string[] {
  return Object.values(fields).flatMap(({ key, fields: below }) => [
    key,
    ...pathsOf(below ?? {}).map((path) => `${key}.${path}`),
  ])
}

function fieldsOf(reader: Reader<unknown>): Fields | undefined {
  return 'fields' in reader ? (reader as SectionReader<unknown>).fields : undefined
}

function warnOfUnknownKey(
  key: string,
  names: readonly string[],
  { file, line, path, warnings, settings }: Place,
  parent: Place,
) {
  warnings.add(() => {
    const meant = meantBy(key, names, parent, settings)
    const advice = meant.length === 0 ? '.' : `, did you mean ${meant.join(' or ')}?`
    return `${file}: unknown key ${path} (line ${line})${advice} It is ignored`
  })
}

/** Paths of the settings of that name in other sections; else of the one that is most like it, here or anywhere. */
function meantBy(
  key: string,
  names: readonly string[],
  parent: Place,
  settings: readonly string[],
): readonly string[] {
  const elsewhere = namedIn(settings, key)
  if (elsewhere.length > 0) return elsewhere
  const nearest = nearestName(key, names)
  if (nearest !== null) return [placeBelow(parent, nearest, parent).path]
  return namedIn(settings, nearestName(key, settings.map(lastKeyOf)))
}

function namedIn(settings: readonly string[], key: string | null): readonly string[] {
  return settings.filter((path) => lastKeyOf(path) === key)
}

function lastKeyOf(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1)
}
