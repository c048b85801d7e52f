/**
 * Keeps long work of the main thread short for everybody else: after each small part of it, whoever does it asks whether
 * its slice is over, and if so waits for the next one. All who wait have one slice in each turn of the event loop together,
 * not each of them. Held by `test/http/server/thread-slice.test.ts`.
 */
export class ThreadSlice {
  #endsMs = 0

  /** Everybody has their first slice when it is their turn, too. */
  get isOver(): boolean {
    return performance.now() > this.#endsMs
  }

  async next(): Promise<void> {
    await new Promise<void>((resolve) => {
      waiting.push(resolve)
      if (waiting.length === 1) setImmediate(resumeFirst)
    })
    this.#endsMs = performance.now() + SLICE_MS
  }
}

const waiting: (() => void)[] = []

function resumeFirst(): void {
  const resume = waiting.shift()!
  if (waiting.length > 0) setImmediate(resumeFirst)
  resume()
}

/** How long the main thread may be busy so in one turn; what it does between two looks at the clock comes on top. */
const SLICE_MS = 2
