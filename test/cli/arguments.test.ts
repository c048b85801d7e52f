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
    [['--nothing'], /there is no option --nothing$/],
    [['--user'], /'-u, --user <value>' argument missing/],
    [['a', 'b', 'http://alice:secret@host/'], /^unexpected "http:\/\/…@host\/"$/],
  ] as const)
    assert.throws(() => readArguments(words, OPTIONS, 2), { constructor: UsageError, message })
})

test('an empty value or name is none: whoever wrote it had a variable that was not set', () => {
  const options = { ...OPTIONS, topic: { type: 'string', multiple: true, short: 't' } } as const
  for (const [words, message] of [
    [['--user', ''], /^--user is empty: give it a value, or leave it out$/],
    [['--user='], /^--user is empty/],
    [['-u', ''], /^--user is empty/],
    [['--topic', 'a', '-t', ''], /^--topic is empty/],
    [['a', ''], /^name 2 of the command is empty$/],
    [['--', ''], /^name 1 of the command is empty$/],
  ] as const)
    assert.throws(() => readArguments(words, options, 2), { constructor: UsageError, message })
})
