import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { pause } from '../../src/client/pause.ts'

test('a pause ends after its time, or when the signal comes, and leaves nothing behind', async () => {
  const stop = new AbortController()
  await pause(1, stop.signal)
  const long = pause(3_600_000, stop.signal)
  stop.abort()
  await long
  await pause(3_600_000, stop.signal)
  assert.equal(getEventListeners(stop.signal, 'abort').length, 0)
})
