import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Turn } from '../../src/auth/turn.ts'

test('a turn is had by the attempt that took it last, and those before are postponed at once', async () => {
  const turn = new Turn(1_000)
  const [first, second] = [turn.taken(1), turn.taken(2)]
  assert.deepEqual(await first, { type: 'postponed' })
  turn.come()
  assert.deepEqual(await second, { type: 'admitted', hasTurn: true })
})
