import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { describe, test } from 'node:test'
import { setImmediate as settled } from 'node:timers/promises'
import { zstdDecompressSync } from 'node:zlib'
import { Delivery } from '../../../src/protocols/lonelyps/delivery.ts'
import { Verifier, type Scheme } from '../../../src/protocols/lonelyps/authorization.ts'
import { WsSession } from '../../../src/protocols/lonelyps/ws-session.ts'
import { messageIn, readBroadcasterMessage } from '../../protocols/lonelyps/ws-peer-codec.ts'
import { transcript, type Transcript } from '../../protocols/lonelyps/ws-vectors.ts'
import { vectorsOf } from './vectors.ts'

/** The recordings were made with these. */
const NOW_MS = 1_700_000_000_000
const NONCE = 'AbCd-_'

const SCHEMES = {
  none: { toBroadcaster: { type: 'none' }, toSubscriber: { type: 'none' } },
  token: {
    toBroadcaster: { type: 'token', token: 'btok' },
    toSubscriber: { type: 'token', token: 'stok' },
  },
  hmac: { toBroadcaster: secretOf('to-broadcaster'), toSubscriber: secretOf('to-subscriber') },
} as const satisfies Record<string, { toBroadcaster: Scheme; toSubscriber: Scheme }>

function secretOf(role: string): Scheme {
  const { fields } = vectorsOf('hmac-authorization').find(
    (vector) => vector.fields.secret_role === role,
  )!
  return { type: 'hmac', secret: Buffer.from(fields.secret_hex, 'hex') }
}

/** What the session answers to a recorded subscriber, if the hub and the random numbers do as they did then. */
async function replay(
  { frames }: Transcript,
  secrets: { toBroadcaster: Scheme; toSubscriber: Scheme },
  partBytesMax?: number,
): Promise<Buffer[]> {
  const recorded = bytesOf(frames, 'b2s').map(readBroadcasterMessage)
  const hasZstd = recorded.some(({ type }) => type === 'ENABLE_ZSTD_PRESET')
  const randoms = recorded.flatMap((message) => {
    if (message.type === 'CONFIRM_CONFIGURE') return [message.broadcasterNonce]
    return message.type === 'RECEIVE_STREAM' && message.partId === 0 ? [message.identifier] : []
  })
  const sent: Buffer[] = []
  const isBehind = (at: number) =>
    hasZstd && sent.length < bytesOf(frames.slice(0, nextOf(frames, at)), 'b2s').length
  const due: (() => void)[] = []
  const session = new WsSession(
    {
      send: (bytes) => void sent.push(Buffer.from(bytes)),
      sendFrame: (frame) => void sent.push(messageIn(frame)),
      close: (reason) => assert.fail(reason),
      configured: () => {},
      subscribe: () => {},
      unsubscribe: () => {},
      ended: () => {},
      notify: (topic, message) => {
        const sha512 = hash('sha512', message, 'buffer')
        const identifier = Buffer.from(randoms.shift()!)
        due.push(() => session.deliver(new Delivery(topic, message, sha512, identifier)))
        return Promise.resolve(1)
      },
      isTaking: () => true,
      drained: () => {},
      readOn: () => {},
      refused: (reason) => assert.fail(reason),
      holds: () => {},
    },
    new Verifier([{ name: null, ...secrets }], () => NOW_MS),
    { messageBytesMax: 100_000, ...(partBytesMax !== undefined && { partBytesMax }) },
    new Map(),
    {
      now: () => NOW_MS,
      nonce: () => NONCE,
      randomBytes: (count) => {
        const random = Buffer.from(randoms.shift()!)
        assert.equal(random.length, count)
        return random
      },
    },
  )
  for (const [at, frame] of frames.entries()) {
    if (frame.direction === 'b2s') continue
    session.receive(Buffer.from(frame.encoded_hex, 'hex'))
    const endMs = Date.now() + 10_000
    do {
      await settled()
      for (const deliver of due.splice(0)) deliver()
      // What is compressed comes from beside the main thread.
    } while (isBehind(at) && Date.now() < endMs)
  }
  assert.deepEqual([randoms, session.isWaiting], [[], false])
  return sent
}

/** Where the subscriber says the next thing. */
function nextOf(frames: Transcript['frames'], at: number): number {
  const next = frames.findIndex(({ direction }, index) => index > at && direction === 's2b')
  return next < 0 ? frames.length : next
}

function bytesOf(frames: Transcript['frames'], direction: 's2b' | 'b2s'): Buffer[] {
  return frames
    .filter((frame) => frame.direction === direction)
    .map(({ encoded_hex }) => Buffer.from(encoded_hex, 'hex'))
}

/** As it is meant: headers of either form, and a delivery cut into as many parts, wherever. */
function meaningOf(messages: readonly Buffer[]): unknown[] {
  const bodies: Uint8Array[] = []
  const meant = messages.map(readBroadcasterMessage).map((message) => {
    if (message.type !== 'RECEIVE_STREAM') return message
    bodies.push(message.body)
    return { ...message, body: null }
  })
  return [...meant, Buffer.concat(bodies)]
}

/** Whatever it was compressed to, as versions of zstd may differ in it, and in what is signed then. */
function decompressedIn(bytes: Buffer): unknown {
  const message = readBroadcasterMessage(bytes)
  if (message.type !== 'RECEIVE_STREAM' || !message.content?.compressor) return message
  const { topic, compressor, decompressedBytes } = message.content
  return {
    ...message,
    authorization: null,
    content: { topic, compressor, decompressedBytes },
    body: zstdDecompressSync(message.body),
  }
}

describe('lonelypsc 0.0.17 gets from a session what lonelypss 0.0.11 gave it', () => {
  // lonelypss fills a WebSocket message of 6,000 bytes, headers included; we count the bytes of the message only.
  for (const [form, partBytesMax] of [
    ['minimal', 5_897],
    ['expanded', 5_756],
  ] as const)
    test(`in as many parts, without authorization and with ${form} headers`, async () => {
      const recorded = transcript(`ws-session.none.${form}`)
      const sent = await replay(recorded, SCHEMES.none, partBytesMax)
      assert.deepEqual(meaningOf(sent), meaningOf(bytesOf(recorded.frames, 'b2s')))
    })

  test('byte for byte, with a token', async () => {
    const recorded = transcript('ws-session.token.minimal')
    assert.deepEqual(await replay(recorded, SCHEMES.token), bytesOf(recorded.frames, 'b2s'))
  })

  // Its deliveries are of one part each. With more, lonelypss counts each part, and lonelypsc takes the next one for
  // forged: there we do otherwise, see "of several parts counts once" in the tests of sessions.
  test('byte for byte, with signatures', async () => {
    const recorded = transcript('ws-session.hmac.minimal')
    assert.deepEqual(await replay(recorded, SCHEMES.hmac), bytesOf(recorded.frames, 'b2s'))
  })

  test('with signatures and compressed, by what is compressed', async () => {
    const recorded = transcript('ws-session.hmac.minimal.zstd')
    const sent = await replay(recorded, SCHEMES.hmac)
    assert.deepEqual(sent.map(decompressedIn), bytesOf(recorded.frames, 'b2s').map(decompressedIn))
  })
})
