/** Told of what was thrown that should not have been, and what was being done. */
export type OnBug = (doing: string, error: unknown) => void

/** Where nobody is there to be told: ends the process, but not what was being done. */
export const throwLater: OnBug = (_doing, error) => {
  process.nextTick(() => {
    throw error
  })
}
