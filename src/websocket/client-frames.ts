import { isUtf8 } from 'node:buffer'
import { CLOSE_CODE, CONTROL_BYTES_MAX, OPCODE } from './frame.ts'

/** What a client may send on a stream. */
export interface ControlFrame {
  readonly opcode: typeof OPCODE.close | typeof OPCODE.ping | typeof OPCODE.pong
  /** Unmasked, at most 125 bytes. */
  readonly payload: Buffer
}

/** What it sent is not allowed: the WebSocket is to be closed so. */
export class FrameError extends Error {
  readonly closeCode: number

  constructor(closeCode: number, message: string) {
    super(message)
    this.closeCode = closeCode
  }
}

/**
 * Reads what the client of a WebSocket sends (RFC 6455 §5). A stream takes control frames only, so nothing is ever put
 * together from fragments, and at most one unfinished frame of 131 bytes is kept.
 */
export class ClientFrames {
  #rest: Buffer | null = null

  /**
   * The frames that are whole now. Behind a close frame nothing counts.
   * @throws {FrameError} nothing behind it can be read any more.
   */
  read(chunk: Buffer): ControlFrame[] {
    const bytes = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk])
    const frames: ControlFrame[] = []
    let at = 0
    for (;;) {
      const length = frameLength(bytes, at)
      if (at + length > bytes.length) break
      const frame = controlFrameOf(bytes.subarray(at, at + length))
      frames.push(frame)
      if (frame.opcode === OPCODE.close) return frames
      at += length
    }
    // A copy, as the chunk is a part of something much larger.
    this.#rest = at === bytes.length ? null : Buffer.from(bytes.subarray(at))
    return frames
  }
}

/** In bytes; `Infinity` as long as that is not known. What is wrong is told from the first byte that shows it. */
function frameLength(bytes: Buffer, at: number): number {
  const [first, second] = [bytes[at], bytes[at + 1]]
  if (first === undefined) return Infinity
  if ((first & RESERVED_BITS) !== 0)
    throw protocolError('reserved bits are set, and no extension is agreed upon')
  const opcode = first & OPCODE_BITS
  const isControl = CONTROL_OPCODES.has(opcode)
  if (!isControl && opcode !== OPCODE.text && opcode !== OPCODE.binary)
    throw protocolError(opcode === 0 ? 'a continuation of nothing' : 'an unknown opcode')
  if (isControl && (first & FINAL) === 0) throw protocolError('a control frame in fragments')
  if (second === undefined) return Infinity
  if ((second & MASKED) === 0) throw protocolError('a frame without a mask')
  if (!isControl) throw new FrameError(CLOSE_CODE.unacceptableData, PUBLISH_ELSEWHERE)
  const payloadBytes = second & LENGTH_BITS
  if (payloadBytes > CONTROL_BYTES_MAX)
    throw protocolError(`a control frame of more than ${CONTROL_BYTES_MAX} bytes`)
  return HEADER_BYTES + payloadBytes
}

const PUBLISH_ELSEWHERE = 'this stream only sends; publish over HTTP: PUT or POST to the same URL'

function controlFrameOf(frame: Buffer): ControlFrame {
  const opcode = (frame[0]! & OPCODE_BITS) as ControlFrame['opcode']
  const payload = Buffer.from(frame.subarray(HEADER_BYTES))
  for (let i = 0; i < payload.length; i++) payload[i]! ^= frame[2 + (i & 3)]!
  if (opcode === OPCODE.close) checkClose(payload)
  return { opcode, payload }
}

/** A close frame is empty, or a code and perhaps a reason (RFC 6455 §5.5.1). */
function checkClose(payload: Buffer): void {
  if (payload.length === 0) return
  if (payload.length === 1) throw protocolError('half a close code')
  if (!mayBeSent(payload.readUInt16BE())) throw protocolError('no such close code')
  if (!isUtf8(payload.subarray(2)))
    throw new FrameError(CLOSE_CODE.invalidText, 'the reason of the close is not UTF-8')
}

/** RFC 6455 §7.4, and IANA's registry for those from 1012 to 1014. */
function mayBeSent(code: number): boolean {
  if (code >= 3_000) return code < 5_000
  return code >= 1_000 && code <= 1_014 && !NEVER_SENT.has(code)
}

/** Reserved, and what stands for "none was there". */
const NEVER_SENT: ReadonlySet<number> = new Set([1_004, 1_005, 1_006])

function protocolError(message: string): FrameError {
  return new FrameError(CLOSE_CODE.protocolError, message)
}

const FINAL = 0x80
const RESERVED_BITS = 0x70
const OPCODE_BITS = 0x0f
const MASKED = 0x80
const LENGTH_BITS = 0x7f
/** First byte, length, mask. */
const HEADER_BYTES = 6
const CONTROL_OPCODES: ReadonlySet<number> = new Set([OPCODE.close, OPCODE.ping, OPCODE.pong])
