import type { Case, Step } from './case.ts'
import { ClosedError, Connection, SilenceError } from './connection.ts'
import { LineReader } from './line-reader.ts'
import type { ControlSeen, EventSeen, Observation, Transcript } from './observation.ts'

export interface Target {
  readonly port: number
  /** Resolves once the server has taken, or refused, the new text. */
  reloadAcl(text: string): Promise<void>
}

export interface Times {
  /** So long without what a step awaits is noted as silence, and ends the case. */
  readonly silenceMs: number
  /** Between two keep-alives; that of PyPubSub is 5 s. */
  readonly keepAliveMs: number
}

/** Carries out a case's steps. */
export async function play(played: Case, target: Target, times: Times): Promise<Transcript> {
  const lines = new LineReader()
  const peers = new Map<string, Peer>()
  try {
    for (const step of played.steps) {
      if ('reloadAcl' in step) {
        await target.reloadAcl(step.reloadAcl)
        continue
      }
      let peer = peers.get(step.on)
      if (!peer) {
        peer = new Peer(
          await Connection.open(target.port, times.silenceMs),
          lines,
          times.keepAliveMs,
        )
        peers.set(step.on, peer)
      }
      if (!(await peer.take(step))) break
      if (step.on === 'publisher') peer.checkAccepted()
    }
  } finally {
    for (const peer of peers.values()) peer.connection.close()
  }
  return Object.fromEntries(
    [...peers].filter(([name]) => name !== 'publisher').map(([name, peer]) => [name, peer.seen]),
  )
}

class Peer {
  readonly seen: Observation[] = []
  readonly connection: Connection
  readonly #lines: LineReader
  #isChunked = true
  #openedAtMs = 0
  #keepAlives = 0
  readonly #keepAliveMs: number

  constructor(connection: Connection, lines: LineReader, keepAliveMs: number) {
    this.connection = connection
    this.#keepAliveMs = keepAliveMs
    this.#lines = lines
  }

  /** @returns whether the case can go on. */
  async take(step: Exclude<Step, { reloadAcl: string }>): Promise<boolean> {
    try {
      if ('send' in step) this.connection.send(this.#lines.fillIn(step.send))
      else if ('finishSending' in step) this.connection.finishSending()
      else if (step.awaits === 'answer') await this.#answer()
      else if (step.awaits === 'end') await this.#end()
      else if (step.awaits === 'keep-alive') await this.#keepAlive()
      else await this.#linesUntil((_, chunk) => chunk.includes(step.containing))
      return true
    } catch (error) {
      if (error instanceof SilenceError) this.seen.push({ end: 'silence' })
      else if (error instanceof ClosedError)
        this.seen.push({ end: error.received === '' ? 'closed' : 'cut' })
      else throw error
      return !(error instanceof SilenceError)
    }
  }

  checkAccepted(): void {
    for (const observation of this.seen)
      if (!('status' in observation) || observation.status !== 202)
        throw new Error(`the publisher was told ${JSON.stringify(observation)}`)
  }

  async #answer(): Promise<void> {
    const head = await this.connection.head()
    const { date: _, 'content-length': __, ...headers } = head.headers
    if (headers['content-type'] === 'application/vnd.pypubsub-stream') {
      this.seen.push({ status: head.status, headers, body: null })
      this.#isChunked = headers['transfer-encoding'] === 'chunked'
      await this.#linesUntil(isKeepAlive)
      this.#openedAtMs = performance.now()
      return
    }
    this.seen.push({ status: head.status, headers, body: await this.connection.body(head) })
    if (head.status < 200) await this.#answer()
  }

  async #keepAlive(): Promise<void> {
    // On a slow machine some came while the steps before were taken: what is awaited comes after them.
    while (this.connection.hasUnread) {
      await this.#linesUntil(isKeepAlive)
      if (!isKeepAlive(this.seen.at(-1))) return
      this.seen.pop()
    }
    await this.#linesUntil(isKeepAlive)
    const afterMs = performance.now() - this.#openedAtMs
    const leastMs = LEAST * ++this.#keepAlives * this.#keepAliveMs
    const line = this.seen.pop()
    if (line && 'control' in line)
      this.seen.push({
        ...line,
        gap: afterMs > leastMs ? 'about 5 s' : `early, after ${afterMs} ms`,
      })
  }

  /** Reads on to a line that `isAwaited`; how many keep-alives come meanwhile is a matter of time, so they are left out. */
  async #linesUntil(isAwaited: (line: EventSeen | ControlSeen, chunk: string) => boolean) {
    for (;;) {
      const chunk = await (this.#isChunked ? this.connection.chunk() : this.connection.line())
      if (chunk === null) {
        this.seen.push({ end: 'last chunk' })
        return
      }
      const line = this.#lines.read(chunk)
      const isLast = isAwaited(line, chunk)
      if (isLast || !isKeepAlive(line)) this.seen.push(line)
      if (isLast) return
    }
  }

  async #end(): Promise<void> {
    await this.connection.ended()
    this.seen.push({ end: 'closed' })
  }
}

/** Of the time that so many keep-alives take: the first line of a stream may reach us late, on a busy machine. */
const LEAST = 0.2

function isKeepAlive(seen: Observation | undefined): boolean {
  return seen !== undefined && 'control' in seen && seen.control === 'stillalive'
}
