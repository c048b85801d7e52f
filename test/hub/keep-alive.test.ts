import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import type { Cursor } from '../../src/hub/event.ts'
import { KeepAliveWheel, type KeptAlive } from '../../src/hub/keep-alive.ts'

test('signs of life are 4.7 to 5.6 seconds apart from the first one on, though timers are always a little late', () => {
  using clock = new LateClock(5)
  const wheel = new KeepAliveWheel(() => 'cursor' as Cursor)
  const intervals: number[] = []
  for (let ms = 0; ms < 60_000; ms += 7) {
    clock.passUntil(ms)
    let lastMs = ms
    const stream: KeptAlive = {
      slot: -1,
      keepAlive: () => {
        intervals.push(clock.nowMs - lastMs)
        lastMs = clock.nowMs
      },
      fail: (_doing, error) => {
        throw error
      },
    }
    wheel.add(stream)
  }
  const [least, most] = [Math.min(...intervals), Math.max(...intervals)]
  assert.ok(intervals.length > 40_000)
  assert.ok(least >= 4_700, `${least} ms`)
  assert.ok(most <= 5_600, `${most} ms`)
})

/** A clock that stands still until it is moved, and whose timers all come late. */
class LateClock implements Disposable {
  nowMs = 0
  readonly #lateMs: number
  readonly #timers = new Map<object, { readonly atMs: number; readonly run: () => void }>()
  readonly #mocks

  constructor(lateMs: number) {
    this.#lateMs = lateMs
    const start = (run: () => void, ms: number) => {
      const timer = { unref: () => timer }
      this.#timers.set(timer, { atMs: this.nowMs + ms + this.#lateMs, run })
      return timer
    }
    this.#mocks = [
      mock.method(performance, 'now', () => this.nowMs),
      mock.method(globalThis, 'setTimeout', start as never),
      mock.method(globalThis, 'clearTimeout', (timer: object) => void this.#timers.delete(timer)),
    ]
  }

  passUntil(ms: number): void {
    for (;;) {
      const [timer, next] = [...this.#timers].toSorted(([, a], [, b]) => a.atMs - b.atMs)[0] ?? []
      if (timer === undefined || next === undefined || next.atMs > ms) break
      this.nowMs = next.atMs
      this.#timers.delete(timer)
      next.run()
    }
    this.nowMs = ms
  }

  [Symbol.dispose](): void {
    for (const { mock: it } of this.#mocks) it.restore()
  }
}
