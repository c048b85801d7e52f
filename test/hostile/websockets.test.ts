import { hostileGroup, type HostileCase } from './hostile-group.ts'
import { requestText, sendBytes } from './http-input.ts'
import { oddText, repeated, type OddText } from './odd-text.ts'

/** Bytes as text, one character for each. */
const bytes = (...values: readonly number[]) => Buffer.from(values).toString('latin1')

/** Frames of a client, right and wrong; the mask is 0, so that what is sent is what is meant. */
const FRAMES = [
  bytes(0x89, 0x80, 0, 0, 0, 0), // ping
  bytes(0x8a, 0x80, 0, 0, 0, 0), // pong
  bytes(0x89, 0xfd, 0, 0, 0, 0) + 'a'.repeat(125),
  bytes(0x88, 0x80, 0, 0, 0, 0), // close
  bytes(0x88, 0x82, 0, 0, 0, 0, 3, 0xe8),
  bytes(0x81, 0x81, 0, 0, 0, 0, 0x61), // text
  bytes(0x01, 0x80, 0, 0, 0, 0), // a fragment
  bytes(0x00, 0x80, 0, 0, 0, 0),
  bytes(0x82, 0xff, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0), // 2 GiB are announced
  bytes(0xff, 0xff),
  bytes(0x89),
  bytes(0),
]

const HANDSHAKE = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'].concat(
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
)

function frameCase(name: string, target: string): HostileCase<OddText> {
  return {
    name,
    inputs: oddText(FRAMES, 1_000_000),
    examples: [repeated(FRAMES[0]!, 170_000), repeated(FRAMES[1]!, 170_000)],
    runs: 30,
    async send(server, frames) {
      await sendBytes(server, requestText('GET', target, HANDSHAKE), frames.toString())
    },
  }
}

hostileGroup('WebSockets', { config: { protocols: { lonelyps: {} } } }, [
  frameCase('frames on a stream', '/fruits'),
  frameCase('frames to lonelyps', '/-/lonelyps/v1/websocket'),
])
