import assert from 'node:assert/strict'
import type { RunningServer } from '../running-server.ts'
import { RawClient } from './raw-client.ts'
import { get } from './requests.ts'

/** What a client learns from one frame of a stream. */
export interface Told {
  readonly type: 'event' | 'keep-alive' | 'opened' | 'gap' | 'closing'
  readonly cursor: string
  readonly payload: Readonly<Record<string, unknown>>
  /** Of a gap or a farewell. */
  readonly reason: string
}

/** A form as its clients read it. */
export interface Form {
  readonly accept: string
  /** One whole frame, as text. */
  read(text: string): Told
}

/** Server-sent events, by the rules of the WHATWG as far as a server of ours can use them. */
const sse: Form = {
  accept: 'text/event-stream',
  read(text) {
    assert.ok(text.endsWith('\n\n') && !/[\r\0]/.test(text), JSON.stringify(text))
    const fields = new Map<string, string>()
    for (const line of text.slice(0, -2).split('\n')) {
      const [, name = '', value = ''] = /^([a-z]*): (.*)$/su.exec(line) ?? assert.fail(line)
      assert.ok(name === '' || !fields.has(name), `${name} twice`)
      fields.set(name, value)
    }
    const cursor = fields.get('id') ?? assert.fail('no id')
    const payload = JSON.parse(fields.get('data') ?? '{}')
    const type = fields.has('data') ? (fields.get('event') ?? 'event') : 'keep-alive'
    if (type === 'opened') assert.match(fields.get('retry') ?? '', /^\d+$/)
    return { type: type as Told['type'], cursor, payload, reason: payload.reason }
  },
}

/** Lines of JSON, of which those with a certain member are events. */
function lines(accept: string, mark: string, cursorMember: string): Form {
  return {
    accept,
    read(text) {
      assert.ok(text.endsWith('\n') && text.indexOf('\n') === text.length - 1)
      const payload = JSON.parse(text)
      if (mark in payload)
        return {
          type: 'event',
          cursor: payload[cursorMember],
          payload: payload.data ?? payload,
          reason: '',
        }
      assert.equal(typeof payload.stillalive, 'number')
      for (const type of ['opened', 'gap', 'closing'] as const)
        if (type in payload) {
          const { cursor, resumes_at: resumesAt, reason } = payload[type]
          return { type, cursor: cursor ?? resumesAt, payload: {}, reason }
        }
      return { type: 'keep-alive', cursor: payload.cursor, payload: {}, reason: '' }
    },
  }
}

/** Those that PyPubSub does not have. */
export const FORMS: readonly Form[] = [
  sse,
  lines('application/x-ndjson', 'pubsub_topics', 'pubsub_cursor'),
  lines('application/jsonl', 'pubsub_topics', 'pubsub_cursor'),
  lines('application/cloudevents+json', 'specversion', 'pubsubcursor'),
]

/** A client of one stream. */
export class FormReader implements AsyncDisposable {
  readonly contentType: string
  readonly #client: RawClient
  readonly #form: Form

  private constructor(client: RawClient, form: Form, contentType: string) {
    this.#client = client
    this.#form = form
    this.contentType = contentType
  }

  static async open(
    { port }: RunningServer,
    form: Form,
    target: string,
    ...headers: readonly string[]
  ): Promise<FormReader> {
    const client = await RawClient.open(port)
    client.send(get(target, `Accept: ${form.accept}`, ...headers))
    const { status, headers: answered } = await client.head()
    assert.equal(status, 200)
    assert.equal(answered['cache-control'], 'no-store')
    return new FormReader(client, form, answered['content-type'] ?? '')
  }

  async next(): Promise<Told> {
    const chunk = await this.#client.chunk()
    assert.ok(chunk !== null, 'the stream ended with the last chunk')
    return this.#form.read(Buffer.from(chunk, 'latin1').toString())
  }

  async event(): Promise<Told> {
    for (;;) {
      const told = await this.next()
      if (told.type === 'event') return told
      assert.ok(told.type === 'keep-alive' || told.type === 'opened', told.type)
    }
  }

  /** The next that is no event and not the opening; of one type, if that is said. */
  async nextControl(type?: Told['type']): Promise<Told> {
    for (;;) {
      const told = await this.next()
      assert.notEqual(told.type, 'event')
      if (told.type === type || (type === undefined && told.type !== 'opened')) return told
    }
  }

  /** Nothing but signs of life, then the last chunk. */
  async end(): Promise<void> {
    for (;;) {
      const chunk = await this.#client.chunk()
      if (chunk === null) return
      const { type } = this.#form.read(Buffer.from(chunk, 'latin1').toString())
      assert.ok(type === 'keep-alive' || type === 'closing', type)
    }
  }

  pause(): void {
    this.#client.socket.pause()
  }

  resume(): void {
    this.#client.socket.resume()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client[Symbol.asyncDispose]()
  }
}
