import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** Passes bytes on to a port of this machine, hears them, and can cut all connections, as a network does. */
export class CuttableProxy implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #passable = Promise.resolve()
  #goOn = () => {}
  #isRefusing = false
  /** What clients asked on all connections, and what they were answered; Latin-1. */
  asked = ''
  answered = ''

  static async to(port: number): Promise<CuttableProxy> {
    const proxy = new CuttableProxy(port)
    await once(proxy.#server, 'listening')
    return proxy
  }

  private constructor(port: number) {
    this.#server = createServer((near) => void this.#join(near, port)).listen(0, '127.0.0.1')
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Until `goOn`, new connections stand still. */
  cut(): void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#passable = promise
    this.#goOn = resolve
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Until `goOn`, new connections are closed at once, as where nobody listens. */
  refuse(): void {
    this.#isRefusing = true
    for (const socket of this.#sockets) socket.destroy()
  }

  /** What is connected now stays so, and not a byte comes through it any more: only silence tells. */
  stall(): void {
    for (const socket of this.#sockets) socket.unpipe().pause()
  }

  goOn(): void {
    this.#isRefusing = false
    this.#goOn()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #join(near: Socket, port: number): Promise<void> {
    this.#own(near)
    if (this.#isRefusing) return void near.destroy()
    await this.#passable
    const far = connect(port, '127.0.0.1')
    this.#own(far)
    near.on('data', (bytes: Buffer) => (this.asked += bytes.toString('latin1')))
    far.on('data', (bytes: Buffer) => (this.answered += bytes.toString('latin1')))
    near.pipe(far)
    far.pipe(near)
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  }

  #own(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket)).on('error', () => {})
  }
}
