import assert from 'node:assert/strict'
import type { RawClient } from '../raw-client.ts'
import { clientFrame, serverFrame, upgrade } from '../raw-websocket.ts'
import { get } from '../requests.ts'
import type { ReachedServer } from '../ways.ts'

/** What a client learns from one frame of a stream. */
export interface StreamItem {
  readonly type: 'event' | 'keep-alive' | 'opened' | 'gap' | 'closing'
  readonly cursor: string
  readonly payload: Readonly<Record<string, unknown>>
  /** Of a gap or a farewell. */
  readonly reason: string
}

/** A form as its clients read it. */
export interface Form {
  /** What asks for it: a media type, or `websocket`. */
  readonly name: string
  readonly contentType: string
  /** One whole frame, as text. */
  read(text: string): StreamItem
}

/** Server-sent events, by the rules of the WHATWG as far as a server of ours can use them. */
const sse: Form = {
  name: 'text/event-stream',
  contentType: 'text/event-stream; charset=utf-8',
  read(text) {
    assert.ok(text.endsWith('\n\n') && !/[\r\0]/.test(text), JSON.stringify(text))
    const fields = new Map<string, string>()
    for (const line of text.slice(0, -2).split('\n')) {
      const [, name = '', value = ''] = /^([a-z]*): (.*)$/su.exec(line) ?? assert.fail(line)
      assert.ok(name === '' || !fields.has(name), `${name} twice`)
      fields.set(name, value)
    }
    const cursor = fields.get('id') ?? assert.fail('no id')
    const payload = JSON.parse(fields.get('data') ?? assert.fail('no data'))
    const type = fields.get('event') ?? 'event'
    if (type === 'opened') assert.match(fields.get('retry') ?? '', /^\d+$/)
    if (type === 'stillalive') assert.equal(typeof payload.stillalive, 'number')
    return {
      type: type === 'stillalive' ? 'keep-alive' : (type as StreamItem['type']),
      cursor,
      payload,
      reason: payload.reason,
    }
  },
}

/** Lines of JSON, of which those with a certain member are events. */
function lines(name: string, mark: string, cursorMember: string, isLine = true): Form {
  return {
    name,
    contentType: name,
    read(text) {
      assert.equal(text.indexOf('\n'), isLine ? text.length - 1 : -1)
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

const WEB_SOCKET = 'websocket'

/** Those that PyPubSub does not have. */
export const FORMS: readonly Form[] = [
  sse,
  lines('application/x-ndjson', 'pubsub_topics', 'pubsub_cursor'),
  lines('application/ndjson', 'pubsub_topics', 'pubsub_cursor'),
  lines('application/jsonl', 'pubsub_topics', 'pubsub_cursor'),
  lines('application/cloudevents+json', 'specversion', 'pubsubcursor'),
  lines(WEB_SOCKET, 'pubsub_topics', 'pubsub_cursor', false),
]

/** A client of one stream. */
export class FormReader implements AsyncDisposable {
  readonly #client: RawClient
  readonly #form: Form
  readonly #hasFramesInChunks: boolean
  /** Of chunks, in Latin-1. */
  #unread = ''

  private constructor(client: RawClient, form: Form, hasFramesInChunks: boolean) {
    this.#client = client
    this.#form = form
    this.#hasFramesInChunks = hasFramesInChunks
  }

  static async open(
    server: ReachedServer,
    form: Form,
    target: string,
    ...headers: readonly string[]
  ): Promise<FormReader> {
    const client = await server.connect()
    if (form.name === WEB_SOCKET) await upgrade(client, target, ...headers)
    else {
      client.send(get(target, `Accept: ${form.name}`, ...headers))
      const { status, headers: answered } = await client.head()
      assert.equal(status, 200)
      assert.equal(answered['cache-control'], 'no-store')
      assert.equal(answered['content-type'], form.contentType)
    }
    return new FormReader(client, form, server.keepsChunks)
  }

  async next(): Promise<StreamItem> {
    return (await this.#frame()) ?? assert.fail('the stream has ended as whole')
  }

  async event(): Promise<StreamItem> {
    for (;;) {
      const told = await this.next()
      if (told.type === 'event') return told
      assert.ok(told.type === 'keep-alive' || told.type === 'opened', told.type)
    }
  }

  /** The next that is no event and not the opening; of one type, if that is said. */
  async nextControl(type?: StreamItem['type']): Promise<StreamItem> {
    for (;;) {
      const told = await this.next()
      assert.notEqual(told.type, 'event')
      if (told.type === type || (type === undefined && told.type !== 'opened')) return told
    }
  }

  /** Nothing but signs of life, then the end of an answer that is whole. */
  async end(): Promise<void> {
    for (;;) {
      const told = await this.#frame()
      if (told === null) return
      assert.ok(told.type === 'keep-alive' || told.type === 'closing', told.type)
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

  /** `null`: the answer is whole. */
  async #frame(): Promise<StreamItem | null> {
    const text = this.#form.name === WEB_SOCKET ? await this.#message() : await this.#chunk()
    // Whoever reads lines by the rules of Unicode, as many do in Python, would be given pieces.
    assert.doesNotMatch(text ?? '', /[\u0085\u2028\u2029]/u)
    return text === null ? null : this.#form.read(text)
  }

  /** A frame and no more is one chunk, unless a proxy cuts the answer anew. */
  async #chunk(): Promise<string | null> {
    const mark = this.#form === sse ? '\n\n' : '\n'
    for (;;) {
      const end = this.#unread.indexOf(mark)
      if (end !== -1) {
        const frame = this.#unread.slice(0, end + mark.length)
        this.#unread = this.#unread.slice(frame.length)
        if (this.#hasFramesInChunks) assert.equal(this.#unread, '')
        return Buffer.from(frame, 'latin1').toString()
      }
      if (this.#hasFramesInChunks) assert.equal(this.#unread, '')
      const chunk = await this.#client.chunk()
      if (chunk === null) {
        assert.equal(this.#unread, '', 'the answer ends within a frame')
        return null
      }
      this.#unread += chunk
    }
  }

  async #message(): Promise<string | null> {
    for (;;) {
      const { opcode, payload } = await serverFrame(this.#client)
      if (opcode === 1) return payload.toString()
      if (opcode === 9) this.#client.send(clientFrame(10, payload))
      else {
        assert.deepEqual([opcode, payload.readUInt16BE()], [8, 1000], payload.toString())
        this.#client.send(clientFrame(8, payload))
        await this.#client.closed()
        return null
      }
    }
  }
}
