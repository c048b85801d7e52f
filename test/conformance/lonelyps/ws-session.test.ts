import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { describe, test } from 'node:test'
import { setImmediate as settled } from 'node:timers/promises'
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
  const randoms = recorded.flatMap((message) => {
    if (message.type === 'CONFIRM_CONFIGURE') return [message.broadcasterNonce]
    return message.type === 'RECEIVE_STREAM' && message.partId === 0 ? [message.identifier] : []
  })
  const sent: Buffer[] = []
  const due: (() => void)[] = []
  const session = new WsSession(
    {
      send: (bytes) => void sent.push(Buffer.from(bytes)),
      sendFrame: (frame) => void sent.push(messageIn(frame)),
      close: (reason) => assert.fail(reason),
      configured: () => {},
      subscribe: () => {},
      unsubscribe: () => {},
      notify: (topic, message) => {
        const sha512 = hash('sha512', message, 'buffer')
        const identifier = Buffer.from(randoms.shift()!)
        due.push(() => session.deliver(new Delivery(topic, message, sha512, identifier)))
        return Promise.resolve(1)
      },
      drained: () => {},
      readOn: () => {},
    },
    new Verifier([{ name: null, ...secrets }], () => NOW_MS),
    { messageBytesMax: 100_000, ...(partBytesMax !== undefined && { partBytesMax }) },
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
  for (const bytes of bytesOf(frames, 's2b')) {
    session.receive(bytes)
    await settled()
    for (const deliver of due.splice(0)) deliver()
  }
  assert.deepEqual([randoms, session.queuedBytes], [[], 0])
  return sent
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
})
