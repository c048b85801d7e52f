import type { CloseReason } from '../../hub/encoding.ts'
import type { Cursor } from '../../hub/event.ts'
import { KEEP_ALIVE_MS } from '../../hub/keep-alive.ts'
import { CLOSE_CODE, closeFrame, controlFrame, OPCODE, textFrame } from '../../websocket/frame.ts'
import { escapeLineEnds } from './escape-line-ends.ts'
import type { Framing } from './framing.ts'
import { NdjsonEncoding } from './ndjson-encoding.ts'

/** The lines of NDJSON, each a text message of its own. */
export class WebSocketEncoding extends NdjsonEncoding {
  constructor() {
    super(MESSAGES)
  }

  /** Now and then with a ping, whose answer shows proxies in between that both directions are alive. */
  override keepAlive(nowMs: number, cursor: () => Cursor): Uint8Array {
    const message = super.keepAlive(nowMs, cursor)
    // Each stream gets one keep-alive in that time, so one ping in an interval.
    return nowMs % PING_INTERVAL_MS < KEEP_ALIVE_MS ? Buffer.concat([message, PING]) : message
  }
}

/** Proxies give up after a minute of silence (nginx: `proxy_send_timeout`), and every answer costs a read. */
const PING_INTERVAL_MS = 30_000

const MESSAGES: Framing = {
  key: 'websocket',
  frame: (text) => textFrame(escapeLineEnds(text.slice(0, -1))), // a message needs no line break behind it
  end: (reason) => closeFrame(closeCodeOf[reason], reason),
}

const closeCodeOf: Readonly<Record<CloseReason, number>> = {
  unsubscribed: CLOSE_CODE.normal,
  finished: CLOSE_CODE.normal,
  timeout: CLOSE_CODE.normal,
  slow: CLOSE_CODE.tryAgainLater,
  stalled: CLOSE_CODE.tryAgainLater,
  revoked: CLOSE_CODE.policy,
  unavailable: CLOSE_CODE.tryAgainLater,
  shutdown: CLOSE_CODE.goingAway,
  internal: CLOSE_CODE.internalError,
}

const PING = controlFrame(OPCODE.ping, Buffer.alloc(0))
