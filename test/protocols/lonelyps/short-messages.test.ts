import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import * as ws from 'ws'
import { ShortMessages } from '../../../src/protocols/lonelyps/short-messages.ts'
import { clientFrame } from '../../http/raw-websocket.ts'

const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

const lengths = fc.oneof(
  fc.integer({ min: 0, max: 130 }),
  fc.constantFrom(125, 126, 65_535, 65_536, 70_000),
)

const frames = fc
  .record({
    opcode: fc.constantFrom(...Object.values(OPCODE).filter((opcode) => opcode !== OPCODE.close)),
    length: lengths,
    isFinal: fc.boolean(),
  })
  .map(({ opcode, length, isFinal }) => clientFrame(opcode, 'x'.repeat(length), { isFinal }))

const wholeMessages = lengths.map((length) => clientFrame(OPCODE.binary, 'y'.repeat(length)))
const fragmented = fc
  .array(lengths, { minLength: 2, maxLength: 4 })
  .map((parts) => Buffer.concat(parts.map((length, n) => partOf(parts.length, n, length))))
const pings = fc.constant(clientFrame(OPCODE.ping, 'p'))

describe('short messages that are taken out before the library reads', () => {
  test('what comes is the same as without, in the same order, wherever it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(wholeMessages, fragmented, pings), { maxLength: 12 }),
        fc.array(fc.nat()),
        (all, cuts) => {
          assertSame(chunksOf(all, cuts))
        },
      ),
    )
  })

  test('frames that break the protocol are refused by the library as ever, and so are bytes that are none', () => {
    const anything = fc.oneof(frames, fc.uint8Array({ maxLength: 40 }), wholeMessages)
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 12 }), fc.array(fc.nat()), (all, cuts) => {
        assertSame(chunksOf(all, cuts))
      }),
      { numRuns: 500 },
    )
  })

  test('a short message in a packet of its own never comes to the library', () => {
    const messages = new ShortMessages()
    assert.equal(String(messages.read(clientFrame(OPCODE.binary, 'acknowledged'))), 'acknowledged')
    assert.equal(messages.read(clientFrame(OPCODE.ping, '')), null)
    assert.equal(messages.read(clientFrame(OPCODE.binary, 'x'.repeat(126))), null)
    assert.equal(String(messages.read(clientFrame(OPCODE.binary, ''))), '')
  })

  test('the payload of a frame that looks like one is none', () => {
    const inner = clientFrame(OPCODE.binary, 'forged')
    const outer = clientFrame(OPCODE.binary, 'x'.repeat(inner.length))
    const messages = new ShortMessages()
    assert.equal(messages.read(outer.subarray(0, outer.length - inner.length)), null)
    assert.equal(messages.read(inner), null)
    assert.equal(String(messages.read(inner)), 'forged')
  })
})

function partOf(count: number, nth: number, length: number): Buffer {
  const opcode = nth === 0 ? OPCODE.binary : OPCODE.continuation
  return clientFrame(opcode, 'z'.repeat(length), { isFinal: nth === count - 1 })
}

/** Packets: the frames, cut or joined at some places. */
function chunksOf(all: readonly Uint8Array[], cuts: readonly number[]): Buffer[] {
  const bytes = Buffer.concat(all)
  let at = 0
  const ends = all.map((frame) => (at += frame.length))
  // Some of the places between frames, and some within them.
  const places = new Set(ends.filter((_, n) => (cuts[n] ?? 0) % 3 !== 0))
  for (const cut of cuts) places.add(bytes.length === 0 ? 0 : cut % bytes.length)
  const sorted = [0, ...[...places].toSorted((a, b) => a - b), bytes.length]
  return sorted.slice(1).map((end, n) => bytes.subarray(sorted[n], end))
}

function assertSame(chunks: readonly Buffer[]): void {
  const plain = heard((library) => (chunk) => void library.write(chunk))(chunks)
  const messages = new ShortMessages()
  const mixed = heard((library, tell) => (chunk) => {
    const message = messages.read(chunk)
    if (message === null) library.write(chunk)
    else tell(`message ${message.toString('latin1')}`)
  })(chunks)
  assert.deepEqual(mixed, plain)
}

type Library = NodeJS.WritableStream

/** What is heard of some packets, up to the first error. */
function heard(
  readerOf: (library: Library, tell: (what: string) => void) => (chunk: Buffer) => void,
) {
  return (chunks: readonly Buffer[]): string[] => {
    const told: string[] = []
    let hasFailed = false
    const library = new Receiver({ isServer: true, maxPayload: 100_000 })
    library.on('message', (data: Buffer, isBinary: boolean) =>
      told.push(`${isBinary ? 'message' : 'text'} ${data.toString('latin1')}`),
    )
    library.on('ping', (data: Buffer) => told.push(`ping ${data.toString('latin1')}`))
    library.on('pong', (data: Buffer) => told.push(`pong ${data.toString('latin1')}`))
    library.on('conclude', () => {
      told.push('close')
      hasFailed = true
    })
    library.on('error', () => {})
    const take = readerOf(library, (what) => told.push(what))
    for (const chunk of chunks) {
      if (hasFailed || (library as unknown as { errored: Error | null }).errored !== null) break
      take(Buffer.from(chunk))
    }
    const { errored } = library as unknown as { errored: (Error & { code?: string }) | null }
    if (errored !== null) told.push(`error ${errored.code}`)
    return told
  }
}

const { Receiver } = ws as unknown as {
  Receiver: new (options: { isServer: boolean; maxPayload: number }) => Library
}
