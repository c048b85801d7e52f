import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Subscription } from '../hub/subscription.ts'
import type { InputSlices } from './input-slices.ts'

/** A stream over HTTP or a WebSocket of our own, which has the connection from then on. */
export interface OpenStream {
  readonly subscription: Subscription
  /** What ends with it; `null` for most, which have nothing. */
  readonly ends: Disposable | null
  /** What a peer that closes its end still gets. `null`: it is taken to have gone. */
  readonly onHalfClose: (() => void) | null
  /** `null`: what the peer says is discarded. */
  readonly webSocket: { receive(bytes: Buffer, subscription: Subscription): void } | null
}

/** What is remembered of a connection, from one request to the next. */
export class Connection {
  /** Nothing more is carried out on it, since a stream has been asked for or the bytes make no sense. */
  inputIgnored = false
  /** Something was sent while its input was ignored. */
  hasAnswer = false
  /** To the newest request, so that a broken one behind it is refused only after it. */
  lastResponse: ServerResponse | null = null
  /** Requests behind one that may become a stream, held until that is decided. `null`: nothing is to be decided. */
  heldRequests: (() => void)[] | null = null
  /** It is there to be refused. */
  isBeyondLimit = false
  /** Our end of it is closed, and what still comes is read away. */
  isLingering = false
  /** Ends the watch over the body that is being read away. `null`: there is none. */
  discarding: (() => void) | null = null
  /** What reads pipelined requests. `null`: Node's parser does, or a stream is open. */
  inputSlices: InputSlices | null = null
  /** Resolved once the hub has all publications so far. `null`: none may be overtaken. */
  publications: Promise<unknown> | null = null
  stream: OpenStream | null = null
  /** The peer's address, once somebody has asked and it is known. */
  address: string | null = null
}

export function connectionOf(socket: Socket): Connection {
  return ((socket as Known)[CONNECTION] ??= new Connection())
}

/** Once all requests before are answered; never, if their connection ends before. */
export function behindAnswers({ lastResponse: last }: Connection, go: () => void): void {
  if (last === null || last.writableFinished) go()
  else last.once('finish', go)
}

/** On the socket itself, and gone with it. */
const CONNECTION = Symbol('connection')

type Known = Socket & { [CONNECTION]?: Connection }
