/** In ms. Nothing takes so long, on the busiest machine: only what hangs is given up then. No test asserts a shorter time. */
export const DEADLINE_MS = 120_000
