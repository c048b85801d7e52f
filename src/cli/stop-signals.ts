import { constants } from 'node:os'

/** The first signal asks to stop in good order, the second ends the process at once. */
export class StopSignals {
  readonly #abort = new AbortController()
  #received: NodeJS.Signals | null = null

  /** `onSecond`: what must not outlive us. */
  constructor(onSecond: () => void = () => {}) {
    const stop = (name: NodeJS.Signals) => {
      if (this.#received !== null) {
        onSecond()
        process.exit(codeOf(name))
      }
      this.#received = name
      this.#abort.abort()
    }
    process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop)
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** `null`: there was none. */
  get exitCode(): number | null {
    return this.#received === null ? null : codeOf(this.#received)
  }
}

function codeOf(name: NodeJS.Signals): number {
  return 128 + constants.signals[name]
}
