import { ByteReader } from '../../../src/protocols/lonelyps/byte-reader.ts'
import type { TraceRecord } from '../../../src/protocols/lonelyps/http-codec.ts'

/** A tracing as the reference's client reads it. */
export interface Trace {
  readonly isTruncated: boolean
  readonly records: readonly TraceRecord[]
  readonly receivedNs: bigint
  readonly sentNs: bigint
}

export function traceOf(tracing: Uint8Array): Trace {
  const reader = new ByteReader(tracing)
  const isTruncated = reader.u8() !== 0
  const records = Array.from({ length: reader.u16() }, () => ({
    name: reader.str16(),
    extra: reader.str16(),
    atMs: Buffer.from(reader.bytes(8)).readDoubleBE() * 1_000,
  }))
  return { isTruncated, records, receivedNs: reader.u64(), sentNs: reader.u64() }
}

/** Of an answer to a notification. */
export function traceOfAnswer(answer: Uint8Array): Trace {
  const reader = new ByteReader(answer)
  reader.u16()
  reader.str16()
  return traceOf(reader.b16())
}
