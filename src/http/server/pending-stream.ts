import type { Socket } from 'node:net'
import { whenTurnAllows } from '../../ops/turn-budget.ts'
import { connectionOf } from '../../sockets/connection.ts'

/**
 * A request for a stream that nobody has decided on yet, as a log-in may take seconds. What comes behind it on its connection is
 * held meanwhile: it is carried out if the request is refused and the connection stays open, and dropped otherwise.
 */
export class PendingStream implements Disposable {
  readonly #socket: Socket
  readonly #held: (() => void)[] = []

  constructor(socket: Socket) {
    this.#socket = socket
    const connection = connectionOf(socket)
    connection.inputIgnored = true
    connection.heldRequests = this.#held
  }

  /** It is decided, and `inputIgnored` says how. */
  [Symbol.dispose](): void {
    const socket = this.#socket
    const connection = connectionOf(socket)
    connection.heldRequests = null
    if (this.#held.length === 0) return
    if (!connection.inputIgnored && !socket.destroyed) return release(socket, this.#held)
    socket.resume()
    if (connection.inputIgnored) connection.hasAnswer = true
  }
}

/**
 * Carries a request out for which this turn of the event loop has nothing left, once a turn has: a thousand connections may
 * each have one at the same time (test/hostile/crowds.test.ts). What comes behind it on its connection is held meanwhile.
 */
export function carryOutWhenTurnAllows(socket: Socket, carryOut: () => void): void {
  const connection = connectionOf(socket)
  const held: (() => void)[] = []
  connection.heldRequests = held
  whenTurnAllows(() => {
    connection.heldRequests = null
    carryOut()
    if (held.length > 0) release(socket, held)
  })
}

function release(socket: Socket, held: readonly (() => void)[]): void {
  socket.resume()
  for (const carryOut of held) carryOutInTurn(socket, carryOut)
}

/** Carries a request out at once, or once it is decided that there is no stream before it. */
export function carryOutInTurn(socket: Socket, carryOut: () => void): void {
  if (isHeld(socket)) hold(socket, carryOut)
  else carryOut()
}

/** Whether what is before it on its connection is to be decided first. */
export function isHeld(socket: Socket): boolean {
  return connectionOf(socket).heldRequests !== null
}

/** For a request that `isHeld`. */
export function hold(socket: Socket, carryOut: () => void): void {
  connectionOf(socket).heldRequests!.push(carryOut)
  // Those of one packet are read already. More would be held without an end.
  socket.pause()
}
