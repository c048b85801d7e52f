/** One whole binary message of a server, which masks nothing (RFC 6455 §5.2). */
export function binaryFrame(message: Uint8Array): Buffer {
  const { length } = message
  const headBytes = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(headBytes + length)
  frame[0] = FINAL_BINARY
  if (headBytes === 2) frame[1] = length
  else if (headBytes === 4) {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  frame.set(message, headBytes)
  return frame
}

const FINAL_BINARY = 0x82
