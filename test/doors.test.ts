import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { SETTINGS } from '../src/config/schema.ts'
import { parseYaml } from '../src/config/yaml.ts'
import { configuredDoors } from '../src/doors.ts'
import { describeSection } from '../src/settings/describe.ts'
import type { Place } from '../src/settings/place.ts'
import type { Fields, Setting } from '../src/settings/section.ts'
import { Warnings } from '../src/settings/warnings.ts'

const SHIPPED = fileURLToPath(new URL('../pubsub.yaml', import.meta.url))

const SECTIONS = Object.values(SETTINGS.fields!['protocols']!.fields!)

test('the shipped configuration has the section of each door as the door describes it, switched off', () => {
  const text = readFileSync(SHIPPED, 'utf8')
  for (const section of SECTIONS) {
    const described = describeSection(section, 2)
    assert.ok(text.includes(described), `pubsub.yaml should have\n${described}`)
  }
})

test('a door shows the defaults that it has, and its examples can be read', () => {
  for (const section of SECTIONS)
    for (const { key, described, read } of settingsOf(section.fields!)) {
      const { root } = parseYaml(described!.shown ?? described!.example!, key)
      const place = placeIn(key, key)
      if (described!.shown !== undefined)
        assert.deepEqual(read(root, place), read(undefined, place), key)
      else assert.ok(root.type !== 'scalar' || root.text !== null, key)
    }
})

test('a door is there once its section is, and not before', () => {
  const place = placeIn('none', '')
  const protocolsOf = (text: string) =>
    SETTINGS.read(parseYaml(`server: {}\nclients: {}\n${text}`, 'none').root, place).protocols
  assert.deepEqual(configuredDoors(protocolsOf('')), [])
  for (const { key } of SECTIONS) {
    const doors = configuredDoors(protocolsOf(`protocols: {${key}: {}}`))
    assert.deepEqual(
      doors.map(({ name }) => name),
      [key],
    )
  }
})

function placeIn(file: string, path: string): Place {
  return { file, line: 1, column: 1, path, warnings: new Warnings(), settings: [] }
}

/** Those that are shown with a value; sections below are left out. */
function settingsOf(fields: Fields): readonly Setting<unknown>[] {
  return Object.values(fields).flatMap((field) =>
    field.fields === undefined || field.described?.example !== undefined
      ? [field]
      : settingsOf(field.fields),
  )
}
