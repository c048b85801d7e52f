import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { membersOf } from '../../src/publication/json-text.ts'

test('members come with their names read and their values as they stand', () => {
  const text = '{ "a" : 1.0 ,"\\u0062":\t{"a": [1, "}"]}, "a":"x:\\"y" }'
  assert.deepEqual(membersOf(text), [
    { name: 'a', value: '1.0' },
    { name: 'b', value: '{"a": [1, "}"]}' },
    { name: 'a', value: '"x:\\"y"' },
  ])
})

test('an empty object has no members', () => {
  for (const text of ['{}', '{ }', '{\t\n}']) assert.deepEqual(membersOf(text), [])
})

test('names that differ in a backslash are told apart', () => {
  const names = ['\\', '"', '\\"', '"\\', ':', '\\\\:']
  const text = `{${names.map((name) => `${JSON.stringify(name)}:0`).join(',')}}`
  assert.deepEqual(
    membersOf(text).map(({ name }) => name),
    names,
  )
})

test('whatever the object, its members are found', () => {
  const members = fc.array(fc.tuple(fc.string(), fc.json()), { maxLength: 8 })
  fc.assert(
    fc.property(members, fc.constantFrom('', ' ', '\t '), (given, space) => {
      const parts = given.map(
        ([name, value]) => `${space}${JSON.stringify(name)}${space}:${space}${value}${space}`,
      )
      assert.deepEqual(
        membersOf(`{${parts.join(',')}}`),
        given.map(([name, value]) => ({ name, value })),
      )
    }),
  )
})
