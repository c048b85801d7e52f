/** Where time comes from. Tests have one that they move. */
export interface Clock {
  /** In ms, never going back. */
  now(): number
  sleep(ms: number): Promise<void>
}

export const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  // A peer that waits must not hold up the end of the process.
  sleep: (ms) => new Promise((resolve) => void setTimeout(resolve, ms).unref()),
}
