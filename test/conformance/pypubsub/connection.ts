import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** Nothing came before the deadline. */
export class SilenceError extends Error {}

/** The peer closed before what was awaited was complete. `received`: how much of it there was. */
export class ClosedError extends Error {
  readonly received: string

  constructor(received: string) {
    super(`closed after ${JSON.stringify(received)}`)
    this.received = received
  }
}

export interface Head {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
}

/** One TCP connection, read as HTTP/1.1 answers without a client's leniency. Text is Latin-1: a character is a byte. */
export class Connection {
  readonly #socket: Socket
  readonly #silenceMs: number
  #unread = ''
  #hasEnded = false

  private constructor(socket: Socket, silenceMs: number) {
    this.#socket = socket
    this.#silenceMs = silenceMs
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.#unread += text
    })
    socket.on('end', () => {
      this.#hasEnded = true
    })
    // A reset is one more way to close.
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#hasEnded = true
    })
  }

  static async open(port: number, silenceMs: number): Promise<Connection> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true })
    await once(socket, 'connect')
    return new Connection(socket, silenceMs)
  }

  /** Whether something came that nobody has asked for yet. */
  get hasUnread(): boolean {
    return this.#unread !== ''
  }

  send(bytes: string): void {
    if (this.#socket.writable) this.#socket.write(bytes, 'latin1')
  }

  finishSending(): void {
    this.#socket.end()
  }

  close(): void {
    this.#socket.destroy()
  }

  async head(): Promise<Head> {
    const text = await this.#through('\r\n\r\n')
    const [statusLine = '', ...lines] = text.trimEnd().split('\r\n')
    const status = /^HTTP\/1\.[01] (\d{3})( |$)/.exec(statusLine)?.[1]
    if (status === undefined) throw new SyntaxError(`not a status line: ${statusLine}`)
    const headers: Record<string, string> = {}
    for (const line of lines) {
      const [, name = '', value = ''] = /^([^:\s]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? []
      if (name === '') throw new SyntaxError(`not a header: ${line}`)
      const key = name.toLowerCase()
      headers[key] = key in headers ? `${headers[key]}, ${value}` : value
    }
    return { status: Number(status), headers }
  }

  async body(head: Head): Promise<string> {
    if (head.status === 204 || head.status < 200) return ''
    const length = head.headers['content-length']
    if (length !== undefined) return this.#take(Number(length))
    if (head.headers['transfer-encoding'] !== 'chunked') return this.#rest()
    let body = ''
    for (let chunk = await this.chunk(); chunk !== null; chunk = await this.chunk()) body += chunk
    return body
  }

  /** One line of a stream that is not chunked. */
  line(): Promise<string> {
    return this.#through('\n')
  }

  /** `null`: the last chunk. */
  async chunk(): Promise<string | null> {
    const line = await this.#through('\r\n')
    const size = /^[\da-f]+(?=\r\n$)/i.exec(line)?.[0]
    if (size === undefined) throw new SyntaxError(`not a chunk size: ${line}`)
    const length = Number.parseInt(size, 16)
    const chunk = await this.#take(length)
    if ((await this.#take(2)) !== '\r\n')
      throw new SyntaxError(`chunk longer than its size: ${chunk}`)
    return length === 0 ? null : chunk
  }

  /** Resolves when the peer has closed. @returns what it sent before that. */
  #rest(): Promise<string> {
    return this.#when(() => (this.#hasEnded ? this.#unread.length : -1))
  }

  async ended(): Promise<void> {
    const rest = await this.#rest()
    if (rest !== '') throw new SyntaxError(`unexpected before the end: ${rest}`)
  }

  #through(mark: string): Promise<string> {
    return this.#when(() => {
      const at = this.#unread.indexOf(mark)
      return at < 0 ? -1 : at + mark.length
    })
  }

  #take(length: number): Promise<string> {
    return this.#when(() => (this.#unread.length < length ? -1 : length))
  }

  /** Takes as many bytes as `ready` says, once it no longer says -1. */
  async #when(ready: () => number): Promise<string> {
    const signal = AbortSignal.timeout(this.#silenceMs)
    for (;;) {
      const length = ready()
      if (length >= 0) {
        const taken = this.#unread.slice(0, length)
        this.#unread = this.#unread.slice(length)
        return taken
      }
      if (this.#hasEnded) throw new ClosedError(this.#unread)
      await this.#change(signal)
    }
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = this.#socket
      const events = ['data', 'end', 'close'] as const
      const done = (error?: Error) => {
        for (const event of events) socket.off(event, changed)
        signal.removeEventListener('abort', timedOut)
        if (error) reject(error)
        else resolve()
      }
      const changed = () => done()
      const timedOut = () => done(new SilenceError(`silent with ${JSON.stringify(this.#unread)}`))
      for (const event of events) socket.on(event, changed)
      signal.addEventListener('abort', timedOut)
    })
  }
}
