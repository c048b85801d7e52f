import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MalformedError } from '../../../src/protocols/lonelyps/byte-reader.ts'
import {
  readCheck,
  readNotifyHead,
  readReceipt,
  readSetHead,
  readSetList,
  readSubscribe,
} from '../../../src/protocols/lonelyps/http-codec.ts'
import { vectorsOf } from '../../conformance/lonelyps/vectors.ts'

const READERS: readonly ((body: Buffer) => unknown)[] = [
  (body) => readSubscribe(body, 'exact', true),
  (body) => readSubscribe(body, 'glob', false),
  readNotifyHead,
  readCheck,
  (body) => readSetList(body, readSetHead(body), 1_000),
  readReceipt,
]

/** Bodies that were recorded, with a byte changed or a piece cut out: lengths that lie are among them. */
const bodies = [...vectorsOf('http-request'), ...vectorsOf('http-response')]
  .map(({ encoded_hex: hex }) => Buffer.from(hex, 'hex'))
  .filter(({ length }) => length > 0)
const broken = fc
  .tuple(fc.constantFrom(...bodies), fc.nat(), fc.nat(255), fc.nat(40))
  .map(([body, place, byte, cut]) => {
    const at = place % body.length
    const changed = Buffer.concat([
      body.subarray(0, at),
      body.subarray(Math.min(at + cut, body.length)),
    ])
    if (changed.length > 0) changed[at % changed.length] = byte
    return changed
  })

test('whatever comes is read, or malformed, and nothing else happens', () => {
  const anything = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
  fc.assert(
    fc.property(fc.oneof(anything, broken), (body) => {
      for (const read of READERS)
        try {
          read(body)
        } catch (error) {
          assert.ok(error instanceof MalformedError, String(error))
        }
    }),
    { numRuns: 1_000 },
  )
})
