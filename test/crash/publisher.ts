import { once } from 'node:events'
import { Agent, request, type IncomingMessage } from 'node:http'
import { setTimeout as passing } from 'node:timers/promises'
import { DEADLINE_MS } from '../deadline.ts'
import type { BreakableServer } from './breakable-server.ts'
import type { Outcome, PublicationRecord, PublisherRecord } from './checker.ts'
import { bodyOf } from './numbered-event.ts'
import type { Random } from './random.ts'

/** Publishes one event after the other over one connection, as long as it holds, and writes down how each went. */
export class Publisher implements PublisherRecord {
  readonly name: string
  readonly publications: PublicationRecord[] = []
  /** Called at once when a 202 has come. */
  onAccepted: () => void = () => {}
  readonly #server: BreakableServer
  readonly #random: Random
  readonly #nextNumber: () => number
  readonly #pauseMs: number
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  #isStopped = false

  constructor(options: {
    name: string
    server: BreakableServer
    random: Random
    nextNumber: () => number
    /** Between two publications, at most. */
    pauseMs: number
  }) {
    this.name = options.name
    this.#server = options.server
    this.#random = options.random
    this.#nextNumber = options.nextNumber
    this.#pauseMs = options.pauseMs
  }

  /** Until `stop` is called. */
  async run(): Promise<void> {
    while (!this.#isStopped) {
      const outcome = await this.publish(topicsFor(this.#random))
      // Only one that failed waits, so that others publish until the very end of a server that is stopping.
      if (outcome.type !== 'accepted') await this.#server.up()
      else if (this.#pauseMs > 0) await passing(this.#random.between(0, this.#pauseMs))
    }
  }

  stop(): void {
    this.#isStopped = true
  }

  async publish(topics: readonly string[]): Promise<Outcome> {
    const number = this.#nextNumber()
    const outcome = await this.#send(`/${topics.join('/')}`, bodyOf(number, this.#random))
    this.publications.push({ number, topics, outcome })
    return outcome
  }

  close(): void {
    this.#agent.destroy()
  }

  async #send(path: string, body: string): Promise<Outcome> {
    const sending = request({
      agent: this.#agent,
      port: this.#server.port,
      host: '127.0.0.1',
      method: 'PUT',
      path,
      headers: { 'Content-Length': body.length },
      timeout: DEADLINE_MS,
    })
    sending.on('timeout', () => sending.destroy(new Error(`no answer within ${DEADLINE_MS} ms`)))
    try {
      sending.end(body)
      const [answer] = (await once(sending, 'response')) as [IncomingMessage]
      if (answer.statusCode === 202) this.onAccepted()
      // The head has all that is promised; the connection may break behind it.
      let text = ''
      answer.setEncoding('utf8').on('error', () => {})
      answer.on('data', (chunk: string) => {
        text += chunk
      })
      if (!answer.closed) await new Promise((resolve) => answer.once('close', resolve))
      const cursor = answer.headers['x-pubsub-cursor']
      if (answer.statusCode === 202 && typeof cursor === 'string')
        return { type: 'accepted', cursor }
      if (answer.statusCode === 503)
        return { type: text.startsWith('it may have been stored') ? 'unknown' : 'refused' }
      throw new Error(`the answer to a publication is ${answer.statusCode}`)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ECONNREFUSED') return { type: 'refused' }
      if (code === 'ECONNRESET' || code === 'EPIPE') return { type: 'unknown' }
      throw error
    }
  }
}

/** Readers want some of these; `rare` is on every hundredth. */
function topicsFor(random: Random): string[] {
  const topics = ['crash', random.pick({ red: 5, green: 3, blue: 2 })]
  return random.chance(0.01) ? [...topics, 'rare'] : topics
}

/** On the last event of a run: every reader gets it. */
export const TOPICS_OF_THE_END = ['crash', 'red', 'green', 'blue', 'rare']
