import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import type { RawClient } from './raw-client.ts'
import { request } from './requests.ts'

/** A frame as the server sent it. */
export interface ServerFrame {
  readonly opcode: number
  readonly payload: Buffer
}

/** A request for a WebSocket, and what the server must make of its key. */
export function handshake(
  target: string,
  ...headers: readonly string[]
): { readonly bytes: Buffer; readonly accept: string } {
  const key = randomBytes(16).toString('base64')
  const asking = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
  return {
    bytes: request('GET', target, {
      headers: [...asking, `Sec-WebSocket-Key: ${key}`, ...headers],
    }),
    accept: createHash('sha1')
      .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64'),
  }
}

/** Upgrades a connection. */
export async function upgrade(
  client: RawClient,
  target: string,
  ...headers: readonly string[]
): Promise<void> {
  const { bytes, accept } = handshake(target, ...headers)
  client.send(bytes)
  const head = await client.head()
  assert.equal(head.status, 101, head.statusLine)
  assert.deepEqual(
    [head.headers['upgrade'], head.headers['connection']?.toLowerCase()],
    ['websocket', 'upgrade'],
  )
  assert.equal(head.headers['sec-websocket-accept'], accept)
  for (const name of ['sec-websocket-extensions', 'sec-websocket-protocol', 'content-type'])
    assert.equal(head.headers[name], undefined)
}

/** The next frame, which must be one whole message without a mask, with the shortest length that there is. */
export async function serverFrame(client: RawClient): Promise<ServerFrame> {
  const [first, second] = Buffer.from(await client.take(2), 'latin1')
  assert.equal(first! & 0xf0, 0x80)
  let length = second!
  if (length === 126) {
    length = Buffer.from(await client.take(2), 'latin1').readUInt16BE()
    assert.ok(length >= 126)
  } else if (length === 127) {
    length = Number(Buffer.from(await client.take(8), 'latin1').readBigUInt64BE())
    assert.ok(length >= 65_536)
  }
  assert.ok(length !== second || length < 126)
  return { opcode: first! & 0x0f, payload: Buffer.from(await client.take(length), 'latin1') }
}

/** Frames until the close, whose code and reason come back. Others than text and ping fail. */
export async function serverClose(client: RawClient): Promise<{ code: number; reason: string }> {
  for (;;) {
    const { opcode, payload } = await serverFrame(client)
    if (opcode === 8) {
      if (payload.length === 0) return { code: 1005, reason: '' }
      return { code: payload.readUInt16BE(), reason: payload.subarray(2).toString() }
    }
    assert.ok(opcode === 1 || opcode === 9, `opcode ${opcode}`)
  }
}

export interface FrameOptions {
  readonly isFinal?: boolean
  readonly reserved?: number
  readonly isMasked?: boolean
  /** What the header says, whatever the payload has. */
  readonly length?: bigint
}

/** A frame of a client, right or wrong. */
export function clientFrame(
  opcode: number,
  payload: Uint8Array | string = '',
  { isFinal = true, reserved = 0, isMasked = true, length }: FrameOptions = {},
): Buffer {
  const bytes = Buffer.from(payload as Uint8Array)
  const announced = length ?? BigInt(bytes.length)
  const first = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode
  const mask = isMasked ? randomBytes(4) : Buffer.alloc(0)
  const bit = isMasked ? 0x80 : 0
  let header
  if (announced < 126n) header = Buffer.from([first, bit | Number(announced)])
  else if (announced < 65_536n)
    header = Buffer.from([first, bit | 126, Number(announced) >> 8, Number(announced) & 255])
  else {
    header = Buffer.alloc(10)
    header[0] = first
    header[1] = bit | 127
    header.writeBigUInt64BE(announced, 2)
  }
  const masked = isMasked ? bytes.map((byte, i) => byte ^ mask[i & 3]!) : bytes
  return Buffer.concat([header, mask, masked])
}

/** The client's half of a close. */
export function closeOf(code: number, reason = ''): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
  payload.writeUInt16BE(code)
  payload.write(reason, 2)
  return clientFrame(8, payload)
}
