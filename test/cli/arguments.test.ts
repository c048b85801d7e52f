import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readArguments, UsageError } from '../../src/cli/arguments.ts'

const OPTIONS = { user: { type: 'string', short: 'u' }, force: { type: 'boolean' } } as const

test('options and names come in any order, and behind -- everything is a name', () => {
  const { values, names } = readArguments(['a', '--force', '-u', 'x', '--', '--user'], OPTIONS, 2)
  assert.deepEqual({ ...values }, { force: true, user: 'x' })
  assert.deepEqual(names, ['a', '--user'])
})

test('words that make no sense are refused, and no password is repeated', () => {
  for (const [words, message] of [
    [['--nothing'], /Unknown option '--nothing'/],
    [['--user'], /'-u, --user <value>' argument missing/],
    [['a', 'b', 'http://alice:secret@host/'], /^unexpected "http:\/\/…@host\/"$/],
  ] as const)
    assert.throws(() => readArguments(words, OPTIONS, 2), { constructor: UsageError, message })
})
