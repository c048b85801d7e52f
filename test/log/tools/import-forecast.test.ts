import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EventLine } from '../../../src/log/tools/event-lines.ts'
import { describeForecast, forecastImport } from '../../../src/log/tools/import-forecast.ts'

const PLENTY = { eventsMax: 100, maxAgeMs: 0, bytesMax: 1e6 }
const NOW_MS = 1_000_000

async function* linesOf(timesMs: readonly number[]): AsyncGenerator<EventLine> {
  yield { number: 1, bytesRead: 1, problem: 'not valid JSON' }
  for (const publishedAtMs of timesMs)
    yield {
      number: 2,
      bytesRead: 2,
      event: {
        topics: ['a'],
        isPrivate: false,
        path: '/a',
        payload: { type: 'json-object', text: '{"n":1}' },
        publishedAtMs,
      },
    }
}

test('what retention would leave of a file is known before', async () => {
  const times = [10_000, 20_000, 15_000, 30_000, NOW_MS + 1e9]
  for (const [limits, kept, because] of [
    [PLENTY, 5, null],
    [{ ...PLENTY, eventsMax: 2 }, 2, 'server.backlog.size'],
    [{ ...PLENTY, eventsMax: 0 }, 0, 'server.backlog.size'],
    // Behind a newer one an event gets that one's time.
    [{ ...PLENTY, maxAgeMs: NOW_MS - 20_000 }, 4, 'server.backlog.max_age'],
    [{ ...PLENTY, maxAgeMs: NOW_MS - 30_001 }, 1, 'server.backlog.max_age'],
    [{ ...PLENTY, bytesMax: 130 }, 2, 'server.backlog.max_bytes'],
  ] as const) {
    const forecast = await forecastImport(linesOf(times), limits, NOW_MS)
    assert.deepEqual(forecast, { events: 5, kept, because })
    assert.equal(describeForecast(forecast) === null, because === null)
  }
  assert.equal(describeForecast(await forecastImport(linesOf([]), PLENTY, NOW_MS)), null)
})
