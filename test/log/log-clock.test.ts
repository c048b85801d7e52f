import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LogClock, SYSTEM_CLOCK, type ClockMark } from '../../src/log/log-clock.ts'
import { MovableClock } from './movable-clock.ts'

const SECOND_MS = 1_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const YEAR_MS = 365 * DAY_MS

/** A log's clock over one that the test moves, through restarts, and what it told. */
class Trial {
  readonly sources: MovableClock
  readonly told: string[] = []
  clock: LogClock

  constructor(wallMs?: number, newestMs?: number) {
    this.sources = new MovableClock(wallMs)
    this.clock = this.#make({ ...(newestMs !== undefined && { newestMs }) })
  }

  /** A new server, some time after the last one ended; after a kill it knows only an earlier mark. */
  restart(mark: ClockMark | null = this.clock.mark, newestMs = this.clock.nowMs): void {
    this.clock = this.#make({ mark: JSON.parse(JSON.stringify(mark)), newestMs })
  }

  /** How far the log's time is before the wall clock. */
  get lagMs(): number {
    return this.sources.wallMs() - this.clock.nowMs
  }

  #make(options: { mark?: ClockMark; newestMs?: number }): LogClock {
    return new LogClock({
      sources: this.sources,
      onLeap: (message) => void this.told.push(message),
      ...options,
    })
  }
}

test('the time of the log is that of the wall clock, while that is not set', () => {
  const { clock, sources, told } = new Trial()
  for (const ms of [1, 1_000, DAY_MS, YEAR_MS]) {
    sources.pass(ms)
    assert.equal(clock.nowMs, sources.wallMs())
  }
  sources.set(3 * SECOND_MS) // as NTP does
  assert.equal(clock.nowMs, sources.wallMs())
  assert.deepEqual(told, [])
})

test('whatever happens to the wall clock, the time never decreases and comes back to it', () => {
  const ms = fc.oneof(fc.nat(20_000), fc.nat(2 * DAY_MS), fc.nat(3 * YEAR_MS))
  const step = fc.oneof(
    fc.record({ what: fc.constantFrom('pass', 'sleep', 'forward', 'back'), ms }),
    fc.record({ what: fc.constantFrom('restart', 'reboot', 'kill'), ms: fc.nat(DAY_MS) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const trial = new Trial()
      const { sources } = trial
      let lastMs = trial.clock.nowMs
      let mark = trial.clock.mark
      const check = () => {
        const nowMs = trial.clock.nowMs
        assert.ok(nowMs >= lastMs, `${nowMs} after ${lastMs}`)
        assert.ok(trial.clock.ago(1_000) <= nowMs - 1_000)
        lastMs = nowMs
      }
      for (const { what, ms: by } of steps) {
        if (what === 'pass') sources.pass(by)
        else if (what === 'sleep') sources.sleep(by)
        else if (what === 'forward') sources.set(by)
        else if (what === 'back') sources.set(-by)
        else if (what === 'reboot') sources.reboot({ offMs: by })
        if (what === 'restart' || what === 'reboot') trial.restart(trial.clock.mark, lastMs)
        if (what === 'kill') trial.restart(mark, lastMs)
        check()
        if (by % 2 === 0) mark = trial.clock.mark
      }
      for (let n = 0; n < 400; n++) {
        sources.pass(Math.max(DAY_MS / 2, -trial.lagMs))
        check()
      }
      assert.ok(Math.abs(trial.lagMs) <= 5_000, `${trial.lagMs} ms behind`)
    }),
  )
})

for (const [name, leapMs, standsMs] of [
  ['a minute', 60 * SECOND_MS, 60 * SECOND_MS],
  ['an hour', HOUR_MS, HOUR_MS],
  ['a year', YEAR_MS, DAY_MS],
] as const)
  test(`a leap of ${name} is followed once it has stood for as long, at most a day`, () => {
    const trial = new Trial()
    const { sources } = trial
    sources.set(leapMs)
    assert.equal(trial.lagMs, leapMs)
    sources.pass(standsMs - 1)
    assert.equal(trial.lagMs, leapMs)
    sources.pass(1)
    assert.equal(trial.lagMs, 0)
    assert.equal(trial.told.length, 2)
    // What came before is not older for it.
    assert.equal(trial.clock.ago(standsMs), sources.wallMs() - leapMs - standsMs)
  })

test('a leap that goes back in time has left no trace, however often it comes', () => {
  const trial = new Trial()
  const { sources } = trial
  for (let n = 0; n < 50; n++) {
    sources.set(YEAR_MS)
    assert.equal(trial.lagMs, YEAR_MS)
    sources.pass(HOUR_MS)
    assert.equal(trial.lagMs, YEAR_MS)
    sources.set(-YEAR_MS)
    assert.equal(trial.lagMs, 0)
  }
  assert.equal(trial.told.length, 100)
  assert.ok(trial.clock.mark.leaps.length <= 20)
})

test('a leap goes on being held over a restart and a kill, and is forgotten when it is over', () => {
  const trial = new Trial()
  const { sources } = trial
  const early = trial.clock.mark
  sources.set(YEAR_MS)
  assert.equal(trial.lagMs, YEAR_MS)
  sources.pass(HOUR_MS)
  trial.restart()
  assert.equal(trial.lagMs, YEAR_MS)
  trial.restart(early)
  assert.equal(trial.lagMs, YEAR_MS)
  sources.pass(HOUR_MS)
  assert.equal(trial.lagMs, YEAR_MS)
  sources.set(-YEAR_MS)
  trial.restart()
  assert.equal(trial.lagMs, 0)
})

test('a leap between two servers of one boot is noticed', () => {
  const trial = new Trial()
  const mark = trial.clock.mark
  trial.sources.pass(HOUR_MS)
  trial.sources.set(2 * DAY_MS)
  trial.restart(mark)
  assert.equal(trial.lagMs, 2 * DAY_MS)
})

test('time between two servers is time', () => {
  const trial = new Trial()
  for (const go of [
    () => trial.sources.pass(3 * DAY_MS),
    () => trial.sources.sleep(3 * DAY_MS),
    () => trial.sources.reboot({ offMs: 3 * DAY_MS }),
  ]) {
    const mark = trial.clock.mark
    go()
    trial.restart(mark, mark.logMs)
    assert.equal(trial.lagMs, 0)
    assert.equal(trial.clock.ago(3 * DAY_MS), mark.logMs)
  }
  assert.deepEqual(trial.told, [])
})

test('a boot a year ahead stamps nothing, and is over when the clock is corrected', () => {
  const trial = new Trial()
  const { sources } = trial
  const mark = trial.clock.mark
  sources.reboot({ offMs: HOUR_MS, wrongByMs: YEAR_MS })
  trial.restart(mark, mark.logMs)
  assert.equal(trial.clock.nowMs, mark.logMs)
  sources.pass(HOUR_MS)
  assert.equal(trial.clock.nowMs, mark.logMs + HOUR_MS)
  sources.set(-YEAR_MS)
  assert.equal(trial.lagMs, 0)
})

test('a boot in 1970 goes on behind the newest event, and is over when the clock is corrected', () => {
  const trial = new Trial()
  const { sources } = trial
  const mark = trial.clock.mark
  const wrongByMs = 20 * SECOND_MS - sources.wallMs()
  sources.reboot({ offMs: HOUR_MS, wrongByMs })
  trial.restart(mark, mark.logMs)
  sources.pass(60 * SECOND_MS)
  assert.equal(trial.clock.nowMs, mark.logMs + 30 * SECOND_MS)
  sources.set(-wrongByMs)
  assert.equal(trial.lagMs, 0)
  assert.equal(trial.clock.ago(HOUR_MS + 60 * SECOND_MS), mark.logMs)
})

test('a first start in 1970 is followed to the right time at once, and is no age', () => {
  const trial = new Trial(5_000)
  const { sources } = trial
  sources.pass(60 * SECOND_MS)
  assert.equal(trial.clock.nowMs, 65_000)
  sources.set(56 * YEAR_MS)
  assert.equal(trial.lagMs, 0)
  sources.pass(SECOND_MS)
  assert.equal(trial.clock.ago(2 * SECOND_MS), 64_000)
  trial.restart()
  assert.equal(trial.clock.ago(2 * SECOND_MS), 64_000)
})

test('a machine that was paused, and whose clock is set then, is followed in time', () => {
  const trial = new Trial()
  trial.sources.set(10 * 60 * SECOND_MS)
  trial.sources.pass(SECOND_MS)
  assert.equal(trial.lagMs, 10 * 60 * SECOND_MS)
  trial.sources.pass(11 * 60 * SECOND_MS)
  assert.equal(trial.lagMs, 0)
})

test('a clock that is set back and forth again is right again at once', () => {
  const trial = new Trial()
  const { sources } = trial
  sources.set(-DAY_MS)
  sources.pass(HOUR_MS)
  assert.equal(trial.lagMs, -DAY_MS - HOUR_MS / 2 + HOUR_MS)
  sources.set(DAY_MS)
  assert.equal(trial.lagMs, 0)
  sources.set(-DAY_MS)
  sources.pass(HOUR_MS)
  assert.ok(trial.lagMs < 0)
  sources.set(YEAR_MS)
  assert.ok(trial.lagMs > 300 * DAY_MS, 'beyond where it came from it is a leap')
})

test("the system's own clocks agree with each other", () => {
  const clock = new LogClock()
  assert.ok(Math.abs(clock.nowMs - Date.now()) < 5_000)
  assert.ok(Math.abs(SYSTEM_CLOCK.uptimeMs() - SYSTEM_CLOCK.monotonicMs()) < 400 * DAY_MS)
})
