import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { PYTHON } from '../programs.ts'
import { ClientProcess } from './client-process.ts'
import type { Mode } from './lonelyps-client.ts'

const SCRIPT = fileURLToPath(new URL('lonelyps_clients.py', import.meta.url))

type Answer = Readonly<Record<string, unknown>>

/** One process with any number of clients of lonelypsc, each told what to do while others are at it. */
export class LonelypsClients implements AsyncDisposable {
  readonly #process: ClientProcess
  readonly #waiting = new Map<number, PromiseWithResolvers<Answer>>()
  #asked = 0
  #made = 0
  /** Why nobody is there to be asked. */
  #failure: unknown = null

  constructor() {
    this.#process = new ClientProcess(PYTHON, [SCRIPT], {
      input: null,
      environment: { COMPRESSION: '1' }, // as in the reference's tests
    })
    void this.#read()
  }

  /** `broadcaster`: base of the server's URL. `secrets`: a file, or `none`. It is not yet entered. */
  async make(mode: Mode, broadcaster: string, secrets: string): Promise<DrivenClient> {
    const name = `${mode} ${this.#made++}`
    await this.ask({ make: name, mode, broadcaster: `${broadcaster}/-/lonelyps`, secrets })
    return new DrivenClient(this, name)
  }

  /** Resolves with what the command tells; rejects with what went wrong in it. */
  async ask(command: object): Promise<Answer> {
    if (this.#failure !== null) throw this.#failure as Error
    const id = this.#asked++
    const waiting = Promise.withResolvers<Answer>()
    this.#waiting.set(id, waiting)
    this.#process.say(JSON.stringify({ id, ...command }))
    const answer = await waiting.promise
    assert.ok(!('error' in answer), `${JSON.stringify(command)}: ${String(answer['error'])}`)
    return answer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]()
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        const { json } = await this.#process.line()
        const id = json['id'] as number
        this.#waiting.get(id)?.resolve(json)
        this.#waiting.delete(id)
      }
    } catch (error) {
      this.#failure = error
      for (const waiting of this.#waiting.values()) waiting.reject(error)
    }
  }
}

/** One client of that process. */
export class DrivenClient {
  readonly #clients: LonelypsClients
  readonly #name: string

  constructor(clients: LonelypsClients, name: string) {
    this.#clients = clients
    this.#name = name
  }

  async enter(): Promise<this> {
    await this.#clients.ask({ enter: this.#name })
    return this
  }

  async leave(): Promise<void> {
    await this.#clients.ask({ leave: this.#name })
  }

  async subscribe(topic: string): Promise<void> {
    await this.#clients.ask({ subscribe: this.#name, topic })
  }

  async unsubscribe(topic: string): Promise<void> {
    await this.#clients.ask({ unsubscribe: this.#name, topic })
  }

  /** Resolves with the SHA-256 of the next message on a topic that it is subscribed to. */
  async receive(topic: string): Promise<unknown> {
    return (await this.#clients.ask({ receive: this.#name, topic }))['sha256']
  }

  /** Sends random bytes; resolves with how many were told to have got them, and their SHA-256. */
  async notify(topic: string, size: number): Promise<{ notified: unknown; sha256: unknown }> {
    const { notified, sha256 } = await this.#clients.ask({ notify: this.#name, topic, size })
    return { notified, sha256 }
  }
}
