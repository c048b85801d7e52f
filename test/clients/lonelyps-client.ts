import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { ClientProcess } from './client-process.ts'
import { PYTHON } from '../programs.ts'

const SCRIPT = fileURLToPath(new URL('lonelyps_client.py', import.meta.url))

export type Mode = 'http' | 'ws'

/** What it prints, of each kind by itself: what comes first of two kinds is chance. */
interface ClientOutput {
  readonly message: {
    readonly topic: string
    readonly text: string | null
    readonly sha256: string
  }
  readonly status: 'established' | 'lost' | 'abandoned'
  /** To a command, in their order. */
  readonly answer: Readonly<Record<string, unknown>>
}

/** lonelypsc as a process, which is told what to do. One thing at a time is waited for. */
export class LonelypsClient implements AsyncDisposable {
  readonly #process: ClientProcess
  readonly #untold: { [Kind in keyof ClientOutput]: ClientOutput[Kind][] } = {
    message: [],
    status: [],
    answer: [],
  }

  /** `broadcaster`: base of the server's URL. `secrets`: a file. */
  static async start(
    mode: Mode,
    broadcaster: string,
    options: { secrets?: string | null; environment?: Readonly<Record<string, string>> } = {},
  ): Promise<LonelypsClient> {
    const { secrets = null, environment = {} } = options
    const url = `${broadcaster}/-/lonelyps`
    const args = [SCRIPT, mode, url, secrets ?? 'none']
    const client = new LonelypsClient(new ClientProcess(PYTHON, args, { input: null, environment }))
    try {
      assert.deepEqual(await client.#next('answer'), { ready: true })
    } catch (error) {
      await client[Symbol.asyncDispose]()
      throw error
    }
    return client
  }

  private constructor(process: ClientProcess) {
    this.#process = process
  }

  /** Resolves once it is subscribed to all of them. */
  async listen(topics: {
    exact?: readonly string[]
    glob?: readonly string[]
    /** What the application needs for each message, in seconds. */
    take?: number
  }): Promise<void> {
    const subscribed = (topics.exact?.length ?? 0) + (topics.glob?.length ?? 0)
    assert.deepEqual(await this.#ask({ listen: topics }), { subscribed })
  }

  /** Ends one `listen`: the first is 0. */
  async leave(number: number): Promise<void> {
    assert.deepEqual(await this.#ask({ leave: number }), { left: number })
  }

  /** Resolves with how many it was told that have got it, or with the name of the error. */
  async notify(topic: string, text: string): Promise<unknown> {
    const { notified, refused } = await this.#ask({ notify: topic, text })
    return notified ?? refused
  }

  /** Bytes that repeat nowhere. */
  async notifyBytes(topic: string, size: number): Promise<{ notified: unknown; sha256: unknown }> {
    const { notified, sha256 } = await this.#ask({ notify: topic, size })
    return { notified, sha256 }
  }

  /** The next message that it has received. */
  message(): Promise<ClientOutput['message']> {
    return this.#next('message')
  }

  /** The texts of so many messages. */
  async texts(count: number): Promise<unknown[]> {
    const texts = []
    while (texts.length < count) texts.push((await this.message()).text)
    return texts
  }

  /** Resolves with the next that it is told of its connection. */
  status(): Promise<ClientOutput['status']> {
    return this.#next('status')
  }

  /** What it was told of its connection that nobody has asked for yet. */
  get statuses(): readonly ClientOutput['status'][] {
    return this.#untold.status
  }

  /** Stands still, as a machine that sleeps, until `goOn`. */
  pause(): void {
    this.#process.signal('SIGSTOP')
  }

  goOn(): void {
    this.#process.signal('SIGCONT')
  }

  /** Ends it as its application would, and resolves with the messages that nobody has asked for. */
  async finish(): Promise<readonly ClientOutput['message'][]> {
    this.#process.hangUp()
    assert.deepEqual(await this.#next('answer'), { ended: true })
    const { code, errors } = await this.#process.ended()
    assert.equal(code, 0, errors)
    return this.#untold.message
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]()
  }

  #ask(command: object): Promise<ClientOutput['answer']> {
    this.#process.say(JSON.stringify(command))
    return this.#next('answer')
  }

  async #next<Kind extends keyof ClientOutput>(kind: Kind): Promise<ClientOutput[Kind]> {
    for (;;) {
      const next = this.#untold[kind].shift()
      if (next !== undefined) return next
      const { json } = await this.#process.line()
      if ('topic' in json) this.#untold.message.push(json as unknown as ClientOutput['message'])
      else if ('status' in json) this.#untold.status.push(json['status'] as ClientOutput['status'])
      else this.#untold.answer.push(json)
    }
  }
}
