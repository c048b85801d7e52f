import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { MalformedError } from '../../../src/protocols/lonelyps/byte-reader.ts'
import {
  readSubscriberMessage,
  writeBroadcasterMessage,
} from '../../../src/protocols/lonelyps/ws-codec.ts'
import type {
  BroadcasterMessage,
  SubscriberMessage,
} from '../../../src/protocols/lonelyps/ws-messages.ts'
import {
  headersOf,
  readBroadcasterMessage,
  writeExpanded,
  writeSubscriberMessage,
} from './ws-peer-codec.ts'
import { messageOf, wsVectors, type WsVector } from './ws-vectors.ts'

const fromSubscribers = wsVectors.filter(({ direction }) => direction === 's2b')
const fromBroadcasters = wsVectors.filter(({ direction }) => direction === 'b2s')
/** Dictionaries that a broadcaster makes, which we never do. */
const ofCustom = fromBroadcasters.filter(({ fields }) => /CUSTOM/.test(fields.type_name))
const written = fromBroadcasters.filter((vector) => !ofCustom.includes(vector))

function bytesOf({ encoded_hex }: Pick<WsVector, 'encoded_hex'>): Uint8Array {
  return Buffer.from(encoded_hex, 'hex')
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

describe('messages of lonelypsp 0.0.46', () => {
  test('are all there', () => {
    const counts = [fromSubscribers, written, ofCustom].map(({ length }) => length)
    assert.deepEqual(counts, [58, 70, 12])
  })

  for (const vector of fromSubscribers)
    test(`${vector.name} is read`, () => {
      const expected = messageOf(vector) as SubscriberMessage
      assert.deepEqual(readSubscriberMessage(bytesOf(vector)), expected)
      // What the tests themselves write as a subscriber is what lonelypsp writes.
      const form = vector.fields.minimal_headers ? 'minimal' : 'expanded'
      assert.equal(hexOf(writeSubscriberMessage(expected, form)), vector.encoded_hex)
    })

  for (const vector of written)
    test(`${vector.name} is written`, () => {
      const expected = messageOf(vector) as BroadcasterMessage
      assert.deepEqual(readBroadcasterMessage(bytesOf(vector)), expected)
      const bytes = writeBroadcasterMessage(expected)
      if (vector.fields.minimal_headers) assert.equal(hexOf(bytes), vector.encoded_hex)
      else assert.deepEqual(readBroadcasterMessage(bytes), expected)
    })
})

/** The message types of which there is a body, and so no end that could be missing. */
const WITH_BODY = new Set(['NOTIFY', 'NOTIFY_STREAM'])

describe('a message of a subscriber', () => {
  test('that ends early is malformed, wherever it ends', () => {
    for (const vector of fromSubscribers) {
      const bytes = bytesOf(vector)
      const message = messageOf(vector) as SubscriberMessage
      const bodyBytes = 'body' in message ? message.body.length : 0
      assert.equal(bodyBytes > 0, WITH_BODY.has(message.type) && !/empty/.test(vector.name))
      for (let length = 0; length < bytes.length - bodyBytes; length++)
        assert.throws(
          () => readSubscriberMessage(bytes.subarray(0, length)),
          MalformedError,
          `${vector.name}, ${length} bytes`,
        )
    }
  })

  test('whatever its bytes are, is read or malformed', () => {
    const messages = fromSubscribers.map(bytesOf)
    const damage = fc.array(fc.tuple(fc.nat(400), fc.oneof(fc.constant(0xff), fc.nat(255))))
    const damaged = fc.tuple(fc.constantFrom(...messages), damage).map(([bytes, changes]) => {
      const copy = Uint8Array.from(bytes)
      for (const [at, byte] of changes) copy[at % copy.length] = byte
      return copy
    })
    const headed = fc
      .tuple(fc.nat(1), fc.nat(12), fc.uint8Array({ maxLength: 300 }))
      .map(([flags, type, rest]) => Uint8Array.from([0, flags, 0, type, ...rest]))
    fc.assert(
      fc.property(fc.oneof(damaged, headed, fc.uint8Array({ maxLength: 300 })), (bytes) => {
        try {
          readSubscriberMessage(bytes)
        } catch (error) {
          assert.ok(error instanceof MalformedError, String(error))
        }
      }),
      { numRuns: 3_000 },
    )
  })

  test('is read back as it was written, in both forms', () => {
    fc.assert(
      fc.property(subscriberMessages(), fc.constantFrom('minimal', 'expanded'), (message, form) => {
        const bytes = writeSubscriberMessage(message, form)
        assert.deepEqual(readSubscriberMessage(bytes), message)
      }),
    )
  })

  test('has no type but the nine of subscribers', () => {
    for (const type of [0, 10, 12, 255, 256, 65_535])
      assert.throws(() => readSubscriberMessage(withType(type)), MalformedError)
  })

  test('may have flags that say nothing to us', () => {
    const bytes = bytesOf(fromSubscribers[0]!)
    bytes[0] = 0xff
    bytes[1]! |= 0xfe
    assert.deepEqual(readSubscriberMessage(bytes), messageOf(fromSubscribers[0]!))
  })

  const subscribe: SubscriberMessage = {
    type: 'SUBSCRIBE_EXACT',
    authorization: 'Bearer btok',
    tracing: Buffer.of(1),
    topic: Buffer.of(0, 255),
  }

  test('may name its headers in any order and case, with others, and twice', () => {
    const [authorization, tracing, topic] = headersOf(subscribe)
    const bytes = writeExpanded(2, [
      ['X-Topic', Buffer.from('an earlier one')],
      ['x-another', Buffer.from('nobody asks')],
      ['x-t\xf6pic', Buffer.from('nor that')],
      ['X-TOPIC', topic![1]],
      tracing!,
      ['Authorization', authorization![1]],
    ])
    assert.deepEqual(readSubscriberMessage(bytes), subscribe)
  })

  test('is malformed without one of its headers', () => {
    for (const vector of fromSubscribers) {
      const message = messageOf(vector) as SubscriberMessage
      const headers = headersOf(message)
      const type = Buffer.from(vector.encoded_hex, 'hex').readUInt16BE(2)
      for (const header of headers)
        assert.throws(
          () =>
            readSubscriberMessage(
              writeExpanded(
                type,
                headers.filter((each) => each !== header),
              ),
            ),
          new MalformedError(`no ${header[0]}`),
        )
    }
  })

  test('may have numbers with leading zeros, or with no bytes for 0', () => {
    assert.equal(readPartId(), 0)
    assert.equal(readPartId(0, 0, 0), 0)
    assert.equal(readPartId(0, 0, 0, 0, 0, 0, 1, 2), 258)
    assert.throws(() => readPartId(0, 0, 0, 0, 0, 0, 0, 0, 1), MalformedError)
    assert.throws(() => readPartId(255, 255, 255, 255, 255, 255, 255, 255), MalformedError)
  })

  const WRONG: Readonly<Record<string, Partial<Record<string, Buffer>>>> = {
    'a nonce of 31 bytes': { 'x-subscriber-nonce': Buffer.alloc(31) },
    'a nonce of 33 bytes': { 'x-subscriber-nonce': Buffer.alloc(33) },
    'a dictionary number of 3 bytes': { 'x-initial-dict': Buffer.alloc(3) },
    'an authorization that is not UTF-8': { authorization: Buffer.of(0xff) },
    'a glob that is not UTF-8': { 'x-glob': Buffer.of(0xc0, 0x80) },
    'an identifier of 65 bytes': { 'x-identifier': Buffer.alloc(65) },
    'a part id of 9 bytes': { 'x-part-id': Buffer.alloc(9) },
    'a hash of 63 bytes': { 'x-compressed-sha512': Buffer.alloc(63) },
    'a hash of 65 bytes': { 'x-compressed-sha512': Buffer.alloc(65) },
    'a length of 9 bytes': { 'x-compressed-length': Buffer.alloc(9) },
    'a number of subscribers of 5 bytes': { 'x-num-subscribers': Buffer.alloc(5) },
  }
  for (const [what, change] of Object.entries(WRONG))
    test(`with ${what} is malformed`, () => {
      const [name, value] = Object.entries(change)[0]!
      const concerned = fromSubscribers.filter((vector) =>
        headersOf(messageOf(vector) as SubscriberMessage).some(([each]) => each === name),
      )
      assert.ok(concerned.length > 0)
      for (const vector of concerned) {
        const headers = headersOf(messageOf(vector) as SubscriberMessage)
        const changed = headers.map(([each, old]) => [each, each === name ? value! : old] as const)
        const type = Buffer.from(vector.encoded_hex, 'hex').readUInt16BE(2)
        assert.throws(() => readSubscriberMessage(writeExpanded(type, changed)), MalformedError)
      }
    })

  test('asks for compression only with the byte 1', () => {
    const configure = messageOf(fromSubscribers[0]!) as SubscriberMessage
    const asked = [[], [0], [2], [0x31], [0, 1], [1]].map((bytes) => {
      const headers = headersOf(configure).map(
        ([name, value]) => [name, name === 'x-enable-zstd' ? Buffer.from(bytes) : value] as const,
      )
      const read = readSubscriberMessage(writeExpanded(1, headers))
      return read.type === 'CONFIGURE' && read.enableZstd
    })
    assert.deepEqual(asked, [false, false, false, false, false, true])
  })
})

describe('a message of ours', () => {
  test('is read by a subscriber as it was meant', () => {
    fc.assert(
      fc.property(broadcasterMessages(), (message) => {
        assert.deepEqual(readBroadcasterMessage(writeBroadcasterMessage(message)), message)
      }),
    )
  })
})

/** Minimal headers and nothing behind them, of any type. */
function withType(type: number): Uint8Array {
  return Uint8Array.of(0, 1, type >> 8, type & 255, ...new Uint8Array(100))
}

function readPartId(...partId: readonly number[]): number {
  const none = Buffer.alloc(0)
  const read = readSubscriberMessage(
    writeExpanded(8, [
      ['x-identifier', Buffer.of(1)],
      ['x-part-id', Buffer.from(partId)],
      ['authorization', none],
      ['x-tracing', none],
    ]),
  )
  assert.ok(read.type === 'CONTINUE_RECEIVE')
  return read.partId
}

/** Byte strings, texts and numbers as messages hold them. */
const bytes = (maxLength = 80) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array))
const exactly = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((array) => Buffer.from(array))
const envelope = {
  authorization: fc.oneof(fc.constant(null), fc.string({ minLength: 1, unit: 'grapheme' })),
  tracing: bytes(),
}
const identifier = bytes(64)
const glob = fc.string({ unit: 'grapheme' })
const count = fc.oneof(fc.nat(300), fc.maxSafeNat())
const content = record({
  topic: bytes(),
  compressor: count,
  compressedBytes: count,
  decompressedBytes: count,
  compressedSha512: exactly(64),
})

/** With the prototype that messages have. */
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true })
}

function ofTopic<Type extends string>(...types: readonly Type[]) {
  return record({ type: fc.constantFrom(...types), ...envelope, topic: bytes() })
}

function ofGlob<Type extends string>(...types: readonly Type[]) {
  return record({ type: fc.constantFrom(...types), ...envelope, glob })
}

function streamPart<Type extends string>(type: Type) {
  const shared = { type: fc.constant(type), ...envelope, identifier, body: bytes() }
  return fc.oneof(
    record({ ...shared, partId: fc.constant(0), content }),
    record({ ...shared, partId: count.map((id) => id || 1), content: fc.constant(null) }),
  )
}

function subscriberMessages(): fc.Arbitrary<SubscriberMessage> {
  return fc.oneof(
    record({
      type: fc.constant('CONFIGURE' as const),
      subscriberNonce: exactly(32),
      enableZstd: fc.boolean(),
      enableTraining: fc.boolean(),
      initialDictionary: fc.nat(65_535),
      ...envelope,
    }),
    ofTopic('SUBSCRIBE_EXACT', 'UNSUBSCRIBE_EXACT'),
    ofGlob('SUBSCRIBE_GLOB', 'UNSUBSCRIBE_GLOB'),
    record({
      type: fc.constant('NOTIFY' as const),
      ...envelope,
      identifier,
      content,
      body: bytes(),
    }),
    streamPart('NOTIFY_STREAM'),
    record({
      type: fc.constant('CONTINUE_RECEIVE' as const),
      identifier,
      partId: count,
      ...envelope,
    }),
    record({
      type: fc.constant('CONFIRM_RECEIVE' as const),
      identifier,
      ...envelope,
      subscribers: fc.nat(),
    }),
  )
}

function broadcasterMessages(): fc.Arbitrary<BroadcasterMessage> {
  return fc.oneof(
    record({
      type: fc.constant('CONFIRM_CONFIGURE' as const),
      broadcasterNonce: exactly(32),
      ...envelope,
    }),
    ofTopic('CONFIRM_SUBSCRIBE_EXACT', 'CONFIRM_UNSUBSCRIBE_EXACT', 'MISSED'),
    ofGlob('CONFIRM_SUBSCRIBE_GLOB', 'CONFIRM_UNSUBSCRIBE_GLOB'),
    record({
      type: fc.constant('CONFIRM_NOTIFY' as const),
      identifier,
      subscribers: count,
      ...envelope,
    }),
    record({
      type: fc.constant('CONTINUE_NOTIFY' as const),
      identifier,
      partId: count,
      ...envelope,
    }),
    streamPart('RECEIVE_STREAM'),
  )
}
