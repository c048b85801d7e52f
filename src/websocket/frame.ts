/** What a frame of a WebSocket holds (RFC 6455 §5.2, opcodes). */
export const OPCODE = { text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa } as const

/** Why a WebSocket is closed (RFC 6455 §7.4.1, and for 1013 IANA's registry). */
export const CLOSE_CODE = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  unacceptableData: 1003,
  invalidText: 1007,
  policy: 1008,
  internalError: 1011,
  tryAgainLater: 1013,
} as const

/** Payload of a control frame, in bytes at most (RFC 6455 §5.5). */
export const CONTROL_BYTES_MAX = 125

/** One whole text message. A server masks nothing (RFC 6455 §5.1). */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text)
  const frame = frameOf(OPCODE.text, length)
  frame.write(text, frame.length - length, length === text.length ? 'latin1' : 'utf8')
  return frame
}

export function controlFrame(
  opcode: typeof OPCODE.ping | typeof OPCODE.pong | typeof OPCODE.close,
  payload: Uint8Array,
): Buffer {
  const frame = frameOf(opcode, payload.length)
  frame.set(payload, frame.length - payload.length)
  return frame
}

/** `reason`: ASCII, at most 123 characters. */
export function closeFrame(code: number, reason: string): Buffer {
  const payload = Buffer.alloc(2 + reason.length)
  payload.writeUInt16BE(code)
  payload.write(reason, 2, 'latin1')
  return controlFrame(OPCODE.close, payload)
}

/** Its header, and room for the payload behind it. */
function frameOf(opcode: number, length: number): Buffer {
  if (length < 126) return headed(2 + length, opcode, length)
  if (length < 65_536) {
    const frame = headed(4 + length, opcode, 126)
    frame.writeUInt16BE(length, 2)
    return frame
  }
  const frame = headed(10 + length, opcode, 127)
  frame.writeUInt32BE(0, 2) // no payload has 4 GiB
  frame.writeUInt32BE(length, 6)
  return frame
}

function headed(bytes: number, opcode: number, lengthField: number): Buffer {
  const frame = Buffer.allocUnsafe(bytes)
  frame[0] = FINAL | opcode
  frame[1] = lengthField
  return frame
}

/** The bit of a frame that ends its message. */
const FINAL = 0x80
