import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Cursor, Position, PublishedEvent } from '../../src/hub/event.ts'
import { EventVariables } from '../../src/where/event-variables.ts'

function eventOf(text: string): PublishedEvent {
  return {
    position: 1 as Position,
    cursor: 'cursor' as Cursor,
    publishedAtMs: 1_700_000_000_500,
    topics: ['a', 'b'],
    isPrivate: true,
    path: '/private/a/b',
    payload: { type: 'json-object', text },
  }
}

test('members of the payload are there under their names and in event, those of the server under theirs', () => {
  const { ...variables } = new EventVariables().of(
    eventOf('{"n": 1, "event": 2, "pubsub_path": "/mine", "__proto__": {"m": 3}}'),
  )
  assert.deepEqual(
    variables['event'],
    JSON.parse('{"n": 1, "event": 2, "pubsub_path": "/mine", "__proto__": {"m": 3}}'),
  )
  assert.equal(variables['n'], 1)
  assert.equal(variables['pubsub_path'], '/private/a/b')
  assert.deepEqual(variables['pubsub_topics'], ['a', 'b'])
  assert.equal(variables['pubsub_timestamp'], 1_700_000_000.5)
  assert.equal(variables['pubsub_cursor'], 'cursor')
  assert.equal(variables['pubsub_private'], true)
})

test('there is no variable that nobody wrote', () => {
  const variables = new EventVariables().of(eventOf('{}'))
  for (const name of ['toString', 'constructor', '__proto__', 'm'])
    assert.ok(!(name in variables), name)
})

test('an integer is exact, however many digits it has, also beside strings of digits', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), fc.bigInt(), (n, other) => {
      const text = `{"n": ${n}, "list": [{"deep": ${n}}], "s": "${other}", "d": ${n}.5}`
      const {
        n: found,
        list,
        s,
        d,
      } = new EventVariables().of(eventOf(text)) as {
        n: number | bigint
        list: { deep: number | bigint }[]
        s: string
        d: number
      }
      assert.equal(BigInt(found), n)
      assert.equal(BigInt(list[0]!.deep), n)
      assert.equal(s, String(other))
      assert.equal(d, Number(`${n}.5`))
    }),
  )
})

test('they are made once for an event, and anew for the next', () => {
  const variables = new EventVariables()
  const [one, two] = [eventOf('{"n": 1}'), eventOf('{"n": 2}')]
  assert.equal(variables.of(one), variables.of(one))
  assert.equal(variables.of(two)['n'], 2)
  assert.equal(variables.of(one)['n'], 1)
})
