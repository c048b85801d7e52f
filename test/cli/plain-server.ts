import { once } from 'node:events'
import { createServer, request as ask, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { startServer, type RunningServer } from '../running-server.ts'

/**
 * A server that knows what PyPubSub knows, and no more: pubsubd, whose lines are PyPubSub's to the byte when nobody asks for
 * others, behind something that lets nothing newer through (docs/protocols/pypubsub.md).
 */
export class PlainServer implements AsyncDisposable {
  readonly #server: RunningServer
  readonly #front = createServer((request, response) => void this.#pass(request, response))
  readonly #streams = new Set<ServerResponse>()

  static async start(): Promise<PlainServer> {
    const plain = new PlainServer(
      await startServer({
        config: `
server: {bind: 127.0.0.1, port: 0, backlog: {size: 1000}}
clients: {payloaders: [127.0.0.1]}
`,
      }),
    )
    plain.#front.listen(0, '127.0.0.1')
    await once(plain.#front, 'listening')
    return plain
  }

  private constructor(server: RunningServer) {
    this.#server = server
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#front.address() as AddressInfo).port}`
  }

  /** As it ends streams itself: without the last chunk. */
  cut(): void {
    for (const stream of this.#streams) stream.destroy()
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request)
    if (request.method === 'PUT' && !isOneObject(body))
      return void response
        .writeHead(400, { 'Content-Type': 'text/plain; charset=utf-8' })
        .end('I could not understand your request, sorry!\n')
    const cursor = request.headers['x-fetch-since-cursor']
    const headers = cursor === undefined ? {} : { 'X-Fetch-Since-Cursor': cursor }
    const path = request.url!.replace(/\?.*/, '')
    const behind = ask(this.#server.url + path, { method: request.method!, headers })
    behind.on('response', (answer) => {
      this.#streams.add(response)
      response.writeHead(answer.statusCode!, {
        'Content-Type': answer.headers['content-type'] ?? '',
        Server: 'PyPubSub/0.7.4',
      })
      answer.pipe(response)
    })
    response.on('close', () => {
      this.#streams.delete(response)
      behind.destroy()
    })
    behind.on('error', () => {})
    behind.end(body)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#front.closeAllConnections()
    this.#front.close()
    await this.#server[Symbol.asyncDispose]()
  }
}

function isOneObject(body: string): boolean {
  try {
    return typeof JSON.parse(body) === 'object'
  } catch {
    return false
  }
}
