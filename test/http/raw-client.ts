import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls, TLSSocket } from 'node:tls'
import { DEADLINE_MS } from '../deadline.ts'
import { FIRST } from '../config/certificates.ts'

export interface Head {
  readonly status: number
  readonly statusLine: string
  /** Lower-case names. A name that comes twice fails. */
  readonly headers: Readonly<Record<string, string>>
}

export interface Answer extends Head {
  readonly body: string
}

/** A line of a stream, and what it says. */
export interface Line {
  /** With its newline and whatever is behind that. */
  readonly text: string
  // eslint-disable-next-line typescript/no-explicit-any -- members of any published object
  readonly json: any
  readonly isControl: boolean
}

/** One connection, read byte by byte without a client's leniency. Text is Latin-1: a character is a byte. */
export class RawClient implements AsyncDisposable {
  readonly socket: Socket
  #unread = ''
  #hasEnded = false
  #wasReset = false
  #wake: (() => void) | null = null

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.#unread += text
      this.#wake?.()
    })
    socket.on('end', () => this.#end())
    socket.on('close', () => this.#end())
    socket.on('error', () => {
      this.#wasReset = true
    })
  }

  /** `from`: our end's address, of a plain connection. */
  static async open(
    port: number,
    {
      host = '127.0.0.1',
      tls = false,
      from,
    }: { host?: string; tls?: boolean; from?: string | undefined } = {},
  ): Promise<RawClient> {
    const socket = tls
      ? connectTls({ host, port, ca: FIRST.certPem })
      : connectPlain({
          host,
          port,
          noDelay: true,
          allowHalfOpen: true,
          ...(from !== undefined && { localAddress: from }),
        })
    await once(socket, tls ? 'secureConnect' : 'connect')
    return new RawClient(socket)
  }

  /** The answer to these bytes. */
  async ask(bytes: string | Uint8Array): Promise<Answer> {
    this.send(bytes)
    return this.answer()
  }

  send(bytes: string | Uint8Array): void {
    if (!this.socket.writable) return
    if (typeof bytes === 'string') this.socket.write(bytes, 'latin1')
    else this.socket.write(bytes)
  }

  /** Resolves once the kernel has them, which is when the server takes in what it does not hold itself. */
  async sent(bytes: Uint8Array): Promise<void> {
    if (!this.socket.write(bytes)) await once(this.socket, 'drain')
  }

  /** Half-closes. */
  finishSending(): void {
    this.socket.end()
  }

  /** Vanishes in the middle of whatever it is. */
  reset(): void {
    if (this.socket instanceof TLSSocket) this.socket.destroy() // Node resets plain ones only
    else this.socket.resetAndDestroy()
  }

  /** One whole answer that says its length. */
  async answer(): Promise<Answer> {
    const head = await this.head()
    const hasBody = head.status >= 200 && ![204, 304].includes(head.status)
    const length = hasBody ? head.headers['content-length'] : '0'
    assert.match(length ?? 'no Content-Length', /^\d+$/, head.statusLine)
    return { ...head, body: await this.take(Number(length)) }
  }

  async head(): Promise<Head> {
    const text = await this.#through('\r\n\r\n')
    const [statusLine = '', ...lines] = text.slice(0, -4).split('\r\n')
    const status = /^HTTP\/1\.[01] (\d{3}) [\w -]+$/.exec(statusLine)?.[1]
    assert.ok(status, `no status line: ${statusLine}`)
    const headers: Record<string, string> = {}
    for (const line of lines) {
      const [, name = '', value = ''] = /^([\w-]+): (.*)$/.exec(line) ?? []
      const key = name.toLowerCase()
      // A proxy may say what it is, too.
      const isOnce = !(key in headers) || key === 'server'
      assert.ok(name !== '' && isOnce, `no header, or twice: ${line}`)
      headers[key] = value
    }
    return { status: Number(status), statusLine, headers }
  }

  /** The next chunk of a chunked body. `null`: it was the last chunk, so the body is over. */
  async chunk(): Promise<string | null> {
    const size = await this.#through('\r\n')
    assert.match(size, /^[\da-f]+\r\n$/i)
    const length = Number.parseInt(size, 16)
    const chunk = await this.take(length + 2)
    assert.equal(chunk.slice(-2), '\r\n', `chunk longer than its size: ${chunk}`)
    return length === 0 ? null : chunk.slice(0, -2)
  }

  /** The next line of a stream: one whole HTTP chunk, pure ASCII, a keep-alive or an event. */
  async line(): Promise<Line> {
    const text = await this.chunk()
    assert.ok(text !== null, 'the stream ended with the last chunk')
    return readLine(text)
  }

  /** The same of an answer without chunks. */
  async plainLine(): Promise<Line> {
    return readLine(await this.#through('\n'))
  }

  /** The next line that is an event. */
  async event(): Promise<Line> {
    for (;;) {
      const line = await this.line()
      if (!line.isControl) return line
    }
  }

  take(length: number): Promise<string> {
    return this.#when(() => (this.#unread.length >= length ? length : -1))
  }

  /** Waits until the server closes. @returns what it sent before. */
  async rest(): Promise<string> {
    return this.#when(() => (this.#hasEnded ? this.#unread.length : -1))
  }

  /** Waits until the server closes, without a word more and without a reset, which could swallow an answer. */
  async closed(): Promise<void> {
    assert.equal(await this.rest(), '')
    assert.equal(this.#wasReset, false, 'reset')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy()
    if (!this.socket.closed) await once(this.socket, 'close')
  }

  #end(): void {
    this.#hasEnded = true
    this.#wake?.()
  }

  #through(mark: string): Promise<string> {
    return this.#when(() => {
      const at = this.#unread.indexOf(mark)
      return at === -1 ? -1 : at + mark.length
    })
  }

  /** Takes as many bytes as `ready` says, once it no longer says -1. */
  async #when(ready: () => number): Promise<string> {
    const deadlineMs = performance.now() + DEADLINE_MS
    for (;;) {
      const length = ready()
      if (length >= 0) {
        const taken = this.#unread.slice(0, length)
        this.#unread = this.#unread.slice(length)
        return taken
      }
      if (this.#hasEnded)
        throw new Error(
          `${this.#wasReset ? 'reset' : 'closed'} after ${JSON.stringify(this.#unread)}`,
        )
      const leftMs = deadlineMs - performance.now()
      if (leftMs <= 0)
        throw new Error(`silent after ${JSON.stringify(this.#unread.slice(0, 1_000))}`)
      await this.#change(leftMs)
    }
  }

  #change(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs)
      this.#wake = () => {
        this.#wake = null
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

function readLine(text: string): Line {
  assert.match(text, /^[\x20-\x7f]+\n\0?$/, 'not one line of ASCII')
  const json = JSON.parse(text.replace('\0', ''))
  const isControl = !('pubsub_topics' in json)
  if (isControl) assert.match(text, /^\{"stillalive": \d+\.\d+[,}]/)
  return { text, json, isControl }
}
