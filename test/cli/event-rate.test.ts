import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EventRate } from '../../src/cli/event-rate.ts'

test('the rate is that of the last ten seconds, beside the age of the newest', () => {
  let nowMs = 0
  const rate = new EventRate(() => nowMs)
  rate.add()
  assert.equal(rate.describe(), '1.0/s, the last 0 s ago')
  for (; nowMs < 20_000; nowMs += 500) rate.add()
  assert.equal(rate.describe(), '1.9/s, the last 0 s ago')
  nowMs += 5_000
  assert.equal(rate.describe(), '0.9/s, the last 5 s ago')
  nowMs += 120_000
  assert.equal(rate.describe(), '0.0/s, the last 2 min ago')
  nowMs += 7_200_000
  assert.equal(rate.describe(), '0.0/s, the last 2 h ago')
})

test('of very many the newest are counted', () => {
  let nowMs = 0
  const rate = new EventRate(() => nowMs)
  for (let n = 0; n < 100_000; n++) {
    nowMs += 0.1
    rate.add()
  }
  const [, perSecond] = /^([\d.]+)\/s/.exec(rate.describe())!
  assert.ok(Number(perSecond) > 9_000 && Number(perSecond) < 11_000, perSecond)
})
