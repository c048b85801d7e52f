import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { describe, test } from 'node:test'
import { setImmediate as settled } from 'node:timers/promises'
import { constants, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { PLAIN_ZSTD, presetZstd } from '../../../src/protocols/lonelyps/compressor.ts'
import { Delivery } from '../../../src/protocols/lonelyps/delivery.ts'
import type { Content } from '../../../src/protocols/lonelyps/ws-messages.ts'
import {
  CONFIGURE,
  DICTIONARY,
  notify,
  notifyParts,
  Peer,
  SECRETS,
  subscribeTo,
  text,
  unsubscribeFrom,
  type PeerOptions,
  type Saying,
} from './ws-peer.ts'

/** Text that compresses well, and does not repeat exactly. */
const LONG = Array.from({ length: 4_000 }, (_, n) => `line ${n}\n`).join('')
const LONG_BYTES = Buffer.from(LONG)

/** One that may compress. */
function configured(options?: PeerOptions): Peer {
  const peer = new Peer(options)
  peer.say({ ...CONFIGURE, enableZstd: true })
  assert.deepEqual(peer.news(), ['CONFIRM_CONFIGURE', 'ENABLE_ZSTD_PRESET'])
  peer.asked.length = 0
  return peer
}

async function subscribed(options?: PeerOptions): Promise<Peer> {
  const peer = configured(options)
  peer.say(subscribeTo('a'))
  await settled()
  assert.deepEqual(peer.news(), ['CONFIRM_SUBSCRIBE_EXACT'])
  peer.asked.length = 0
  return peer
}

/** Compressing happens beside the main thread. */
async function until(what: string, isSo: () => boolean): Promise<void> {
  for (const endMs = Date.now() + 10_000; !isSo(); await settled())
    assert.ok(Date.now() < endMs, `not in time: ${what}`)
}

function compressedBy(peer: Peer): (number | undefined)[] {
  return peer.received.flatMap((each) =>
    each.type === 'RECEIVE_STREAM' && each.partId === 0 ? [each.content?.compressor] : [],
  )
}

const PLAIN_PARAMS = { [constants.ZSTD_c_contentSizeFlag]: 0 }
const COMPRESSED = zstdCompressSync(LONG_BYTES, { params: PLAIN_PARAMS })

/** How a message that was compressed is announced. */
function compression(message: Uint8Array): Partial<Content> {
  return { compressor: 1, decompressedBytes: message.length }
}

describe('compression', () => {
  test('is announced to who asks for it, right behind the confirmation', () => {
    for (const secrets of Object.values(SECRETS)) {
      const peer = new Peer({ secrets })
      peer.say({ ...CONFIGURE, enableZstd: true })
      const [confirmation, ...announced] = peer.received
      assert.equal(confirmation?.type, 'CONFIRM_CONFIGURE')
      assert.deepEqual(announced, [
        {
          type: 'ENABLE_ZSTD_PRESET',
          compressor: 1,
          level: 3,
          messageBytesMin: 16_384,
          messageBytesEnd: 2n ** 64n - 1n,
          authorization: announced[0]?.authorization, // the peer has verified it
          tracing: Buffer.of(),
        },
      ])
    }
  })

  test('is not announced to others, and nothing is compressed for them', async () => {
    const peer = Peer.configured()
    peer.say(subscribeTo('a'))
    await settled()
    peer.deliver(Buffer.from('a'), LONG_BYTES)
    assert.deepEqual(compressedBy(peer), [0])
    assert.deepEqual(peer.news(), ['CONFIRM_SUBSCRIBE_EXACT', 'part 0'])
  })
})

describe('a compressed notification', () => {
  test('reaches the hub decompressed, and is confirmed', async () => {
    for (const secrets of Object.values(SECRETS)) {
      const peer = configured({ secrets })
      peer.say(notify('a', COMPRESSED, compression(LONG_BYTES)))
      await until('confirmed', () => peer.received.length > 0)
      assert.deepEqual(peer.news(), ['CONFIRM_NOTIFY'])
      assert.deepEqual(peer.notified, [`a ${LONG}`])
    }
  })

  test('may be short, or empty, or longer than it was', async () => {
    const peer = configured({ limits: { messageBytesMax: 300 } })
    const noise = Buffer.from(Array.from({ length: 300 }, (_, n) => (n * n * 167) % 256))
    for (const message of [Buffer.of(), Buffer.from('a'), noise])
      peer.say(notify('a', zstdCompressSync(message), compression(message)))
    await until('confirmed', () => peer.received.length === 3)
    assert.deepEqual(peer.notified, ['a ', 'a a', `a ${text(noise)}`])
  })

  test('in parts arrives whole, however it is split', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 6 }),
        fc.constantFrom(...Object.values(SECRETS)),
        async (lengths, secrets) => {
          const peer = configured({ secrets })
          const all = [...lengths, COMPRESSED.length]
          const parts = notifyParts('a', COMPRESSED, all, compression(LONG_BYTES))
          const filled = parts.filter(({ body }) => body.length > 0)
          for (const part of filled) peer.say(part)
          await until('answered', () => peer.received.length === filled.length)
          assert.deepEqual(peer.notified, [`a ${LONG}`])
          const continued = Array.from(filled, () => 'CONTINUE_NOTIFY').slice(1)
          assert.deepEqual(peer.news(), [...continued, 'CONFIRM_NOTIFY'])
        },
      ),
      { numRuns: 30 },
    )
  })

  test('has its place among the requests', async () => {
    const peer = configured({ secrets: SECRETS.hmac })
    peer.say(notify('a', COMPRESSED, compression(LONG_BYTES)))
    peer.say(notify('a', 'behind'))
    peer.say(subscribeTo('b'))
    await until('answered', () => peer.received.length === 3)
    assert.deepEqual(peer.notified, [`a ${LONG}`, 'a behind'])
    assert.deepEqual(peer.news(), ['CONFIRM_NOTIFY', 'CONFIRM_NOTIFY', 'CONFIRM_SUBSCRIBE_EXACT'])
  })

  test('of which the subscriber is gone is published nevertheless', async () => {
    const peer = configured()
    peer.say(notify('a', COMPRESSED, compression(LONG_BYTES)))
    peer.session.end()
    await until('notified', () => peer.notified.length > 0)
    assert.deepEqual(peer.news(), [])
  })

  const bomb = zstdCompressSync(Buffer.alloc(64 * 1024 * 1024), { params: PLAIN_PARAMS })
  const wide = Buffer.from(COMPRESSED)
  wide[5] = (24 - 10) << 3 // Window_Descriptor of RFC 8878: 16 MiB
  const said = compression(LONG_BYTES)
  const WRONG: Readonly<Record<string, readonly [RegExp, ...Saying[]]>> = {
    'that expands to more than it says': [/unreadable/, notify('a', bomb, said)],
    'that is shorter than it says': [
      /38890 bytes decompressed instead of 38891/,
      notify('a', COMPRESSED, { ...said, decompressedBytes: 38_891 }),
    ],
    'that is longer than it says': [
      /unreadable/,
      notify('a', COMPRESSED, { ...said, decompressedBytes: 38_889 }),
    ],
    'that says it has no bytes': [
      /compressed bytes for a message of 0/,
      notify('a', COMPRESSED, { ...said, decompressedBytes: 0 }),
    ],
    'that says it is too long': [
      /the limit is 100000/,
      notify('a', COMPRESSED, { ...said, decompressedBytes: 100_001 }),
    ],
    'with a window of more than 8 MiB': [/unreadable/, notify('a', wide, said)],
    'that is cut off': [/unreadable/, notify('a', COMPRESSED.subarray(0, -1), said)],
    'without bytes': [/unreadable/, notify('a', Buffer.of(), said)],
    'that is not compressed': [/unreadable/, notify('a', LONG_BYTES, said)],
    'whose hash is that of what was compressed': [
      /SHA-512/,
      notify('a', COMPRESSED, {
        ...said,
        compressedSha512: hash('sha512', LONG_BYTES, 'buffer'),
      }),
    ],
    'with a dictionary that was not enabled': [
      /compressor 2 was not enabled/,
      notify('a', COMPRESSED, { ...said, compressor: 2 }),
    ],
    'in parts that is cut off': [
      /unreadable/,
      ...notifyParts('a', COMPRESSED.subarray(0, 1_000), [600, 400], said),
    ],
    'in parts that says it is compressed to more': [
      /compressed bytes for a message/,
      ...notifyParts('a', COMPRESSED, [600], { ...said, compressedBytes: 2 ** 50 }),
    ],
  }
  for (const [what, [reason, ...sayings]] of Object.entries(WRONG))
    test(`${what} closes the session and reaches nobody`, async () => {
      const peer = configured()
      for (const saying of sayings) peer.say(saying)
      peer.say(notify('a', 'behind'))
      await until('closed', () => peer.closed !== null)
      await settled()
      assert.match(peer.closed!.reason, reason)
      assert.equal(peer.closed!.cause, undefined)
      assert.deepEqual(peer.notified, [])
    })

  test('in parts that says it is too long reaches nobody, and its sender is told so and goes on', async () => {
    for (const secrets of Object.values(SECRETS)) {
      const peer = configured({ secrets, limits: { messageBytesMax: LONG_BYTES.length - 1 } })
      const parts = notifyParts('a', COMPRESSED, [600, COMPRESSED.length], said)
      for (const part of parts.filter(({ body }) => body.length > 0)) peer.say(part)
      peer.say(notify('a', 'behind'))
      await until('answered', () => peer.received.length === 3)
      assert.deepEqual(
        peer.received.map((answer) =>
          answer.type === 'CONFIRM_NOTIFY' ? answer.subscribers : answer.type,
        ),
        ['CONTINUE_NOTIFY', 0, 1],
      )
      assert.deepEqual(peer.notified, ['a behind'])
    }
  })

  test('that says nothing that can be read closes nothing but the session', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(COMPRESSED.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (at, flip) => {
          const changed = Buffer.from(COMPRESSED)
          changed[at]! ^= flip
          const peer = configured()
          peer.say(notify('a', changed, said))
          await until('over', () => peer.closed !== null || peer.notified.length > 0)
          assert.equal(peer.closed?.cause, undefined)
          // There is no checksum inside: the hash of the protocol stands for it.
          if (peer.closed === null) assert.equal(peer.notified[0]!.length, 2 + LONG.length)
        },
      ),
      { numRuns: 200 },
    )
  })
})

/** lonelypsc 0.0.17 signs later parts so if compressing made the message longer than one part. */
describe('a later part that is signed with the hash of what was compressed', () => {
  const parts = notifyParts('a', COMPRESSED, [1_000, 1_000, 100_000], compression(LONG_BYTES))
  const other = Buffer.from('something else')

  function sendParts(peer: Peer, message: Uint8Array): void {
    const sha512 = hash('sha512', message, 'buffer')
    for (const part of parts)
      if (part.partId === 0) peer.say(part)
      else peer.session.receive(peer.write(part, peer.authorizePart(part, sha512)))
  }

  test('is accepted', async () => {
    const peer = configured({ secrets: SECRETS.hmac })
    sendParts(peer, LONG_BYTES)
    await until('notified', () => peer.notified.length > 0)
    await settled()
    assert.deepEqual(peer.notified, [`a ${LONG}`])
    assert.deepEqual(peer.news(), ['CONTINUE_NOTIFY', 'CONTINUE_NOTIFY', 'CONFIRM_NOTIFY'])
  })

  test('is refused if it is another hash', async () => {
    const peer = configured({ secrets: SECRETS.hmac })
    sendParts(peer, other)
    await until('closed', () => peer.closed !== null)
    assert.match(peer.closed!.reason, /^NOTIFY_STREAM is not authorized$/)
    assert.deepEqual(peer.notified, [])
  })

  test('is refused where nothing is compressed', () => {
    const peer = configured({ secrets: SECRETS.hmac })
    const [part0, part1] = notifyParts('a', Buffer.from('12'), [1, 1])
    peer.say(part0!)
    const sha512 = hash('sha512', other, 'buffer')
    peer.session.receive(peer.write(part1!, peer.authorizePart(part1!, sha512)))
    assert.match(peer.closed?.reason ?? 'open', /^NOTIFY_STREAM is not authorized$/)
  })

  test('cannot come without end', () => {
    const peer = configured({ secrets: SECRETS.hmac })
    const lengths = Array.from({ length: COMPRESSED.length }, () => 1)
    for (const part of notifyParts('a', COMPRESSED, lengths, compression(LONG_BYTES))) {
      if (part.partId === 0) peer.say(part)
      else peer.session.receive(peer.write(part, 'x'.repeat(2_000)))
      if (peer.closed !== null) break
    }
    assert.match(peer.closed?.reason ?? 'open', /too many parts/)
  })
})

describe('a delivery to one who may compress', () => {
  test('is compressed from 16,384 bytes on, if that makes it shorter', async () => {
    const noise = Buffer.from(
      hash('shake256', 'seed', { outputEncoding: 'buffer', outputLength: 20_000 }),
    )
    for (const secrets of Object.values(SECRETS)) {
      const peer = await subscribed({ secrets })
      const messages = [LONG_BYTES.subarray(0, 16_383), LONG_BYTES.subarray(0, 16_384), noise]
      for (const message of messages) peer.deliver(Buffer.from('a'), message)
      await until('delivered', () => peer.delivered.length === 3)
      assert.deepEqual(compressedBy(peer), [0, 1, 0])
      assert.deepEqual(
        peer.delivered,
        messages.map((message) => `a ${text(message)}`),
      )
    }
  })

  test('goes out in fewer parts, and in order', async () => {
    const peer = await subscribed({ secrets: SECRETS.hmac, limits: { partBytesMax: 1_000 } })
    const topic = Buffer.from('a')
    peer.deliver(topic, LONG_BYTES)
    peer.deliver(topic, Buffer.from('short'))
    peer.session.missed(topic)
    assert.deepEqual(peer.news(), [])
    assert.equal(peer.session.isWaiting, true)
    await until('the first parts', () => peer.received.length >= 3)
    peer.acknowledge()
    const parts = Math.ceil(COMPRESSED.length / 1_000)
    assert.deepEqual(peer.news(), [
      ...Array.from({ length: parts }, (_, n) => `part ${n}`),
      'part 0',
      'MISSED',
    ])
    assert.deepEqual(peer.delivered, [`a ${LONG}`, 'a short'])
    assert.deepEqual([peer.session.isWaiting, peer.asked], [false, ['drained']])
  })

  test('is compressed once for all of them, and holds up no others', async () => {
    const [first, second, signing] = [
      await subscribed(),
      await subscribed(),
      await subscribed({ secrets: SECRETS.hmac }),
    ]
    const plain = Peer.configured()
    plain.say(subscribeTo('a'))
    await settled()
    const sha512 = hash('sha512', LONG_BYTES, 'buffer')
    const delivery = new Delivery(Buffer.from('a'), LONG_BYTES, sha512, Buffer.from('id'))
    const all = [first, second, signing, plain]
    for (const { session } of all) session.deliver(delivery)
    assert.deepEqual(
      all.map((peer) => peer.delivered.length),
      [0, 0, 0, 1],
    )
    const compressed = await delivery.compressed(PLAIN_ZSTD)
    assert.equal(compressed, await delivery.compressed(PLAIN_ZSTD))
    await until('delivered', () => all.every((peer) => peer.delivered.length === 1))
    for (const peer of [first, second, signing]) {
      assert.deepEqual(peer.delivered, [`a ${LONG}`])
      const last = peer.received.at(-1)!
      assert.ok(last.type === 'RECEIVE_STREAM')
      assert.deepEqual(last.body, compressed.message)
    }
  })

  test('has a frame that says neither its length nor a checksum', async () => {
    const peer = await subscribed()
    peer.deliver(Buffer.from('a'), LONG_BYTES)
    await until('delivered', () => peer.delivered.length === 1)
    const last = peer.received.at(-1)!
    assert.ok(last.type === 'RECEIVE_STREAM')
    // Frame_Header_Descriptor of RFC 8878: no content size, no single segment, no checksum, no dictionary.
    assert.deepEqual([...last.body.subarray(0, 5)], [0x28, 0xb5, 0x2f, 0xfd, 0])
  })

  test('that has not gone out when the connection goes, or the interest, does not go out', async () => {
    const delivery = new Delivery(
      Buffer.from('a'),
      LONG_BYTES,
      hash('sha512', LONG_BYTES, 'buffer'),
      Buffer.from('id'),
    )
    const [gone, uninterested] = [await subscribed(), await subscribed()]
    for (const { session } of [gone, uninterested]) session.deliver(delivery)
    gone.session.end()
    uninterested.say(unsubscribeFrom('a'))
    await delivery.compressed(PLAIN_ZSTD)
    await until('drained', () => uninterested.asked.includes('drained'))
    assert.deepEqual([gone.news(), gone.session.isWaiting], [[], false])
    assert.deepEqual(uninterested.news(), ['CONFIRM_UNSUBSCRIBE_EXACT'])
    assert.equal(uninterested.session.isWaiting, false)
  })
})

describe('a dictionary', () => {
  const presets = new Map([[7, presetZstd(7, 5, DICTIONARY)]])
  const message = Buffer.from('{"user":"somebody","message":"The quick brown cat","n":1}')

  function asking(initialDictionary: number, options: PeerOptions = {}): Peer {
    const peer = new Peer({ presets, ...options })
    peer.say({ ...CONFIGURE, enableZstd: true, initialDictionary })
    return peer
  }

  test('is announced to who asks for it, behind zstd alone', () => {
    for (const secrets of Object.values(SECRETS)) {
      const peer = asking(7, { secrets })
      assert.deepEqual(
        peer.received.map((each) => each.type === 'ENABLE_ZSTD_PRESET' && each.compressor),
        [false, 1, 7],
      )
      const last = peer.received.at(-1)!
      assert.ok(last.type === 'ENABLE_ZSTD_PRESET')
      const { level, messageBytesMin, messageBytesEnd } = last
      assert.deepEqual([level, messageBytesMin, messageBytesEnd], [5, 32, 16_384n])
    }
  })

  test('that nobody knows is passed over, and one is not announced unasked', () => {
    for (const other of [0, 1, 2, 8, 65_535])
      assert.deepEqual(asking(other).news(), ['CONFIRM_CONFIGURE', 'ENABLE_ZSTD_PRESET'])
    const peer = new Peer({ presets })
    peer.say({ ...CONFIGURE, initialDictionary: 7 })
    assert.deepEqual(peer.news(), ['CONFIRM_CONFIGURE'])
  })

  test('serves in both directions, for messages that are too short for zstd alone', async () => {
    for (const secrets of Object.values(SECRETS)) {
      const peer = asking(7, { secrets })
      peer.say(subscribeTo('a'))
      const sent = zstdCompressSync(message, { params: PLAIN_PARAMS, dictionary: DICTIONARY })
      peer.say(notify('a', sent, { compressor: 7, decompressedBytes: message.length }))
      await until('notified', () => peer.notified.length > 0)
      assert.deepEqual(peer.notified, [`a ${text(message)}`])
      const all = [message.subarray(0, 31), message, LONG_BYTES]
      for (const each of all) peer.deliver(Buffer.from('a'), each)
      await until('delivered', () => peer.delivered.length === 3)
      assert.deepEqual(compressedBy(peer), [0, 7, 1])
      assert.deepEqual(
        peer.delivered,
        all.map((each) => `a ${text(each)}`),
      )
    }
  })

  test('does not let through what is cut off or too long', async () => {
    for (const wrong of [
      zstdCompressSync(message, { dictionary: DICTIONARY }).subarray(0, -1),
      zstdCompressSync(Buffer.concat([message, message]), { dictionary: DICTIONARY }),
    ]) {
      const peer = asking(7)
      peer.say(notify('a', wrong, { compressor: 7, decompressedBytes: message.length }))
      await until('closed', () => peer.closed !== null)
      assert.match(peer.closed!.reason, /unreadable/)
      assert.deepEqual(peer.notified, [])
    }
  })

  test('may be any bytes, but not too few, and none that only begin as a trained one', () => {
    assert.equal(presetZstd(2, 3, Buffer.from('12345678')).identifier, 2)
    assert.throws(() => presetZstd(2, 3, Buffer.from('1234567')), /at least 8 bytes/)
    const broken = Buffer.concat([Buffer.of(0x37, 0xa4, 0x30, 0xec), Buffer.alloc(40, 1)])
    assert.throws(() => presetZstd(2, 3, broken), /is none/)
  })
})
