import assert from 'node:assert/strict'
import { test } from 'node:test'
import { timeLimits } from '../../../src/http/stream/time-limits.ts'
import type { CloseReason } from '../../../src/hub/encoding.ts'
import type { Hub } from '../../../src/hub/hub.ts'
import type { Subscription } from '../../../src/hub/subscription.ts'

test('a range that ends while the log cannot be read is unavailable, as for those who catch up', async () => {
  const hub = {
    timeAgo: (ms: number) => Date.now() - ms,
    settled: () => Promise.resolve(),
    positionAt: () => Promise.reject(new Error('no disk')),
  } as unknown as Hub
  const reason = await new Promise<CloseReason>((resolve) => {
    const subscription = { end: resolve } as unknown as Subscription
    timeLimits({ timeoutMs: null, untilMs: Date.now() }, subscription, hub)
  })
  assert.equal(reason, 'unavailable')
})
