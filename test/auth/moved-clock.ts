import type { Clock } from '../../src/auth/clock.ts'

/** Stands still until the test moves it. */
export class MovedClock implements Clock {
  #nowMs = 0
  #sleepers: { readonly untilMs: number; readonly wake: () => void }[] = []

  now(): number {
    return this.#nowMs
  }

  sleep(ms: number): Promise<void> {
    return new Promise((wake) => this.#sleepers.push({ untilMs: this.#nowMs + ms, wake }))
  }

  get sleeperCount(): number {
    return this.#sleepers.length
  }

  /** Wakes those who are due, each at its time; returns when nothing goes on any more. */
  async move(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    for (;;) {
      await settled()
      const next = Math.min(...this.#sleepers.map(({ untilMs }) => untilMs))
      if (next > endMs) break
      this.#nowMs = Math.max(this.#nowMs, next)
      const due = this.#sleepers.filter(({ untilMs }) => untilMs <= next)
      this.#sleepers = this.#sleepers.filter(({ untilMs }) => untilMs > next)
      for (const { wake } of due) wake()
    }
    this.#nowMs = endMs
  }
}

/** All promises that can go on have gone on. */
function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}
