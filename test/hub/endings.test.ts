import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Endings } from '../../src/hub/endings.ts'

test('a few are told at once, a crowd bit by bit, each of them once and why', async () => {
  const endings = new Endings()
  const told: string[] = []
  const end = (name: string) =>
    endings.add(
      {
        tellEnd(reason, retryAfterMs) {
          for (const endMs = performance.now() + 0.02; performance.now() < endMs;);
          told.push(`${name} ${reason} ${retryAfterMs}`)
        },
      },
      'shutdown',
      5,
    )
  end('first')
  assert.deepEqual(told, ['first shutdown 5'])
  for (let n = 0; n < 2_000; n++) end(`${n}`)
  assert.ok(told.length < 1_000, `${told.length} were told in one turn`)
  let turns = 0
  for (const isDone = () => told.length === 2_001; !isDone(); turns++) await turn()
  assert.ok(turns > 3, `in ${turns} turns`)
  assert.equal(new Set(told).size, 2_001)
  end('later')
  assert.equal(told.at(-1), 'later shutdown 5')
})
