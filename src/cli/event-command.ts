import { spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { BackOff } from '../client/back-off.ts'
import { pause } from '../client/pause.ts'
import { harmlessJson, type ListenedEvent } from './event-format.ts'
import type { SetAsideFile } from './set-aside-file.ts'

export interface EventCommandOptions {
  /** For `sh -c`. */
  readonly command: string
  /** How often a failing one is run for the same event. */
  readonly tries: number
  /** Where events go whose command failed that often. */
  readonly setAside: SetAsideFile | null
  readonly format: (event: ListenedEvent) => string
  /** Nothing is tried again after it. */
  readonly signal: AbortSignal
  readonly tell: (sentence: string) => void
}

export type CommandOutcome = 'done' | 'set aside' | 'failed' | 'interrupted'

/** Runs a command for each event, which it finds on standard input. */
export class EventCommand {
  readonly #options: EventCommandOptions
  readonly #children = new Set<ChildProcess>()

  constructor(options: EventCommandOptions) {
    this.#options = options
  }

  /** @throws {Error} the file for what is set aside cannot be written. */
  async run(event: ListenedEvent): Promise<CommandOutcome> {
    const { tries, setAside, signal, tell } = this.#options
    const backOff = new BackOff()
    const where = `${event.path} ${event.cursor ?? ''}`.trim()
    for (let tried = 1; ; tried++) {
      const failure = await this.#runOnce(event)
      if (failure === null) return 'done'
      if (signal.aborted) return 'interrupted'
      if (tried >= tries) {
        if (setAside === null) {
          tell(`the command ${failure} for ${where}; tried so often: ${tries}`)
          return 'failed'
        }
        await setAside.append(harmlessJson(event.text))
        tell(
          `the command ${failure} for ${where}; tried so often: ${tries}; the event is set aside in ${setAside.name}`,
        )
        return 'set aside'
      }
      const waitMs = backOff.next()
      tell(`the command ${failure} for ${where}; trying again in ${(waitMs / 1_000).toFixed(1)} s`)
      await pause(waitMs, signal)
      if (signal.aborted) return 'interrupted'
    }
  }

  /** Those that run. */
  kill(): void {
    for (const { pid } of this.#children) {
      try {
        process.kill(-pid!, 'SIGTERM') // with its own children
      } catch {
        // It has ended meanwhile.
      }
    }
  }

  /** `null`: it succeeded; else how it failed. */
  async #runOnce(event: ListenedEvent): Promise<string | null> {
    let child: ChildProcessByStdio<Writable, null, null> | null = null
    try {
      child = spawn('/bin/sh', ['-c', this.#options.command], {
        env: { ...process.env, ...environmentOf(event) },
        stdio: ['pipe', 'inherit', 'inherit'],
        // A group of its own: Ctrl-C on the terminal shall let it finish.
        detached: true,
      })
      this.#children.add(child)
      child.stdin.on('error', () => {}) // it need not read
      child.stdin.end(this.#options.format(event))
      const [code, signal] = await once(child, 'exit')
      if (code === 0) return null
      return code === null ? `was ended by ${signal}` : `failed with exit code ${code}`
    } catch (error) {
      return `could not be started (${(error as Error).message})`
    } finally {
      if (child !== null) this.#children.delete(child)
    }
  }
}

/** Nothing of an event stands in the command itself, where a shell would read it. */
function environmentOf(event: ListenedEvent): Readonly<Record<string, string>> {
  const variables = {
    PUBSUB_CURSOR: event.cursor ?? '',
    PUBSUB_PATH: event.path,
    PUBSUB_URL_PATH: encodeURI(event.path.toWellFormed()).replaceAll(/[?#]/g, encodeURIComponent),
    PUBSUB_TOPICS: event.topics.join('/'), // no topic has a slash
    PUBSUB_TIMESTAMP: String(event.timestamp ?? ''),
  }
  // The environment has no NUL, a path may.
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [name, value.replaceAll('\0', '\uFFFD')]),
  )
}
