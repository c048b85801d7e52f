import type { ClockSources } from '../../src/log/log-clock.ts'

/** A clock for a log, which goes only when the test moves it. */
export class MovableClock implements ClockSources {
  bootId: string | null = 'first boot'
  #wallMs: number
  #monotonicMs = 1_000_000
  #sleptMs = 0

  /** Of any day that could be today. */
  constructor(wallMs = 1_700_000_000_000) {
    this.#wallMs = wallMs
  }

  wallMs = (): number => this.#wallMs
  monotonicMs = (): number => this.#monotonicMs
  uptimeMs = (): number => this.#monotonicMs + this.#sleptMs

  /** Time goes by, for everybody. */
  pass(ms: number): void {
    this.#wallMs += ms
    this.#monotonicMs += ms
  }

  /** Somebody sets the wall clock. */
  set(byMs: number): void {
    this.#wallMs += byMs
  }

  /** The machine sleeps. */
  sleep(ms: number): void {
    this.#wallMs += ms
    this.#sleptMs += ms
  }

  /** The machine is off for a while, and comes back with the wall clock wrong by so much. */
  reboot({ offMs, wrongByMs = 0 }: { offMs: number; wrongByMs?: number }): void {
    this.#wallMs += offMs + wrongByMs
    this.#monotonicMs = 10_000
    this.#sleptMs = 0
    this.bootId = `boot after ${String(this.bootId)}`
  }
}
