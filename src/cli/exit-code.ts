/** What the end of a command says to a script. 128 and the signal's number: a signal ended it. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  /** The server said no. */
  refused: 3,
  /** No server, or none that is ready, for as long as it was to be tried. */
  unreachable: 4,
  /** Fewer events than `--count` in the time of `--timeout`. */
  timeout: 5,
  /** Events are missing, and that was to be told. */
  gap: 6,
  /** Commands failed: their events are set aside, or not done. */
  commandFailed: 7,
} as const
