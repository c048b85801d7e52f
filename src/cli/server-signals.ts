import { isatty } from 'node:tty'

/** What the signals of a server ask for. */
export interface SignalHandlers {
  readonly stop: (signal: NodeJS.Signals) => void
  readonly reload: () => void
}

/**
 * Takes the signals that ask for a reload from the moment it is made, as the kernel's default for them is the end of the process: one that
 * comes before the server is up is carried out once it is. Those that stop end a start at once, by that default: nothing is
 * lost by it, and a start that hangs can be ended. SIGHUP of a terminal that is gone stops, any other one reloads.
 */
export class ServerSignals {
  readonly #hadTerminal = isatty(0)
  #early: (() => void) | null = null
  #handlers: SignalHandlers | null = null

  constructor() {
    process.on('SIGUSR2', () => this.#whenUp(({ reload }) => reload()))
    process.on('SIGHUP', (signal) => {
      const isTerminalGone = this.#hadTerminal && !isatty(0)
      this.#whenUp(({ reload, stop }) => (isTerminalGone ? stop(signal) : reload()))
    })
  }

  /** The server is up. */
  handle(handlers: SignalHandlers): void {
    this.#handlers = handlers
    process.on('SIGTERM', handlers.stop).on('SIGINT', handlers.stop)
    this.#early?.()
  }

  #whenUp(carryOut: (handlers: SignalHandlers) => void): void {
    if (this.#handlers === null) this.#early = () => carryOut(this.#handlers!)
    else carryOut(this.#handlers)
  }
}
