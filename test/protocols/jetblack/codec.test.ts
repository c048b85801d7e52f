import fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encoded } from '../../../src/protocols/jetblack/encoder.ts'
import {
  ProtocolError,
  type ClientMessage,
  type Data,
  type Packet,
  type Wire,
} from '../../../src/protocols/jetblack/messages.ts'
import { Parser } from '../../../src/protocols/jetblack/parser.ts'

const name = fc.string({ unit: 'grapheme', maxLength: 12 })
const packet: fc.Arbitrary<Packet> = fc.record(
  {
    entitlements: fc.option(
      fc.uniqueArray(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), {
        minLength: 1,
        maxLength: 5,
      }),
    ),
    data: fc.option(fc.uint8Array({ minLength: 1, maxLength: 40 })),
  },
  { noNullPrototype: true },
)
const packets = fc.option(fc.array(packet, { minLength: 1, maxLength: 6 }))

function messagesOf(wire: Wire): fc.Arbitrary<readonly Data[]> {
  // Of one character it would be taken for packets (dossier 6.2), as for the empty one that the whole message decides.
  const contentType = fc.string({ unit: 'grapheme-ascii', minLength: 2, maxLength: 30 })
  const mark = wire === 'is-image' ? fc.boolean() : contentType
  const data = fc.record({ feed: name, topic: name, mark, packets }, { noNullPrototype: true })
  return fc.array(data, { minLength: 1, maxLength: 5 })
}

/** As a client sends it: without who sends it, which the server adds. */
function sentBy(data: Data, wire: Wire): Buffer {
  const bytes = encoded({ type: 'multicast', ...data, user: '', host: '' }, wire)
  return Buffer.concat([Buffer.of(1), bytes.subarray(1 + 8)])
}

function readIn(bytes: Buffer, cuts: readonly number[], portWire: Wire): ClientMessage[] {
  const parser = new Parser({ wire: portWire, messageBytesMax: 1e6, asksFor: 'nothing' })
  const messages: ClientMessage[] = []
  const read = () => {
    for (let next = parser.next(); next !== null; next = parser.next()) messages.push(next)
  }
  let start = 0
  for (const cut of [...cuts.map((each) => each % (bytes.length + 1)), bytes.length].toSorted(
    (a, b) => a - b,
  )) {
    if (cut > start) parser.push(bytes.subarray(start, cut))
    start = Math.max(start, cut)
    read()
  }
  // Nothing follows: that ends what might have been the beginning of something longer.
  const last = parser.awaitsSilence ? parser.endSilence() : null
  if (last !== null) messages.push(last)
  read()
  return messages
}

for (const wire of ['is-image', 'content-type'] as const)
  test(`what is written on the wire ${wire} is read as it was, wherever it is cut, at either port`, () => {
    const property = fc.property(
      messagesOf(wire),
      fc.array(fc.nat(), { maxLength: 8 }),
      fc.constantFrom<Wire>('is-image', 'content-type'),
      (messages, cuts, portWire) => {
        const bytes = Buffer.concat(messages.map((each) => sentBy(each, wire)))
        assert.deepEqual(
          readIn(bytes, cuts, portWire),
          messages.map((each) => ({ type: 'multicast', ...each })),
        )
      },
    )
    fc.assert(property, { numRuns: Number(process.env['FUZZ_RUNS'] ?? 500) })
  })

/** The messages, or why there are none. */
function resultOf(bytes: Buffer, cuts: readonly number[]): readonly ClientMessage[] | string {
  try {
    return readIn(bytes, cuts, 'is-image')
  } catch (error) {
    assert.ok(error instanceof ProtocolError, String(error))
    return error.message
  }
}

test('any bytes are messages, wait for more, or end it with an error that says why, and do so wherever they are cut', () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 6 }),
    fc.constantFrom(
      ...[
        [1],
        [2],
        [4],
        [5],
        [7],
        [9],
        [0, 0, 0, 0],
        [0, 0, 0, 1],
        [0, 0, 0, 1, 97],
        [0, 0, 1, 0],
      ].map((each) => Uint8Array.from(each)),
    ),
  )
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 20 }),
      fc.array(fc.nat(), { maxLength: 8 }),
      (all, cuts) => {
        const bytes = Buffer.concat(all)
        assert.deepEqual(resultOf(bytes, cuts), resultOf(bytes, []))
      },
    ),
    { numRuns: Number(process.env['FUZZ_RUNS'] ?? 2_000) },
  )
})
