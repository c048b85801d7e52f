import { ByteWriter } from './byte-writer.ts'

/** What an authorization is about: a number for the kind of message, and those fields of it that are signed. */
export interface Signed {
  readonly kind: number
  /** Only where something is signed or verified: most who ask for it have nothing to prove. */
  readonly writeFields: (to: ByteWriter) => ByteWriter
}

/** What is said of a way to compress. A level below 0 has no signed form. */
interface Preset {
  readonly compressor: number
  readonly level: number
  readonly messageBytesMin: number
  readonly messageBytesEnd: bigint
}

/** The strings that are signed, by message (lonelypsp 0.0.46, `auth/`; docs/protocols/lonelyps.md, Authorization). */
export const signed = {
  /** Unsubscribing, too, without a recovery url. */
  subscribeExact: (url: string, recovery: string | null, topic: Uint8Array) =>
    of(1, (to) =>
      to
        .str16(url)
        .str16(recovery ?? '')
        .b16(topic),
    ),
  subscribeGlob: (url: string, recovery: string | null, glob: string) =>
    of(2, (to) =>
      to
        .str16(url)
        .str16(recovery ?? '')
        .str16(glob),
    ),
  notify: (topic: Uint8Array, identifier: Uint8Array, sha512: Uint8Array) =>
    of(3, (to) => to.b16(topic).b8(identifier).raw(sha512)),
  configure: (nonce: Uint8Array, zstd: boolean, training: boolean, dictionary: number) =>
    of(4, (to) => to.b8(nonce).u8(Number(zstd)).u8(Number(training)).u16(dictionary)),
  checkSubscriptions: (url: string) => of(5, (to) => to.str16(url)),
  setSubscriptions: (url: string, etag: Uint8Array) => of(6, (to) => to.str16(url).u8(0).raw(etag)),
  continueReceive: (identifier: Uint8Array, partId: number, url: string) =>
    of(7, (to) => to.b8(identifier).u8(partId).str16(url)),
  confirmReceive: (identifier: Uint8Array, subscribers: number, url: string) =>
    of(8, (to) => to.b8(identifier).u32(subscribers).str16(url)),
  confirmMissed: (topic: Uint8Array, recovery: string) =>
    of(9, (to) => to.b16(topic).str16(recovery)),
  receive: (url: string, topic: Uint8Array, identifier: Uint8Array, sha512: Uint8Array) =>
    of(10, (to) => to.str16(url).b16(topic).b8(identifier).raw(sha512)),
  missed: (recovery: string, topic: Uint8Array) => of(11, (to) => to.str16(recovery).b16(topic)),
  confirmSubscribeExact: (url: string, recovery: string | null, topic: Uint8Array) =>
    of(12, (to) =>
      to
        .str16(url)
        .str16(recovery ?? '')
        .b16(topic),
    ),
  confirmSubscribeGlob: (url: string, recovery: string | null, glob: string) =>
    of(13, (to) =>
      to
        .str16(url)
        .str16(recovery ?? '')
        .str16(glob),
    ),
  confirmNotify: (
    identifier: Uint8Array,
    subscribers: number,
    topic: Uint8Array,
    sha512: Uint8Array,
  ) => of(14, (to) => to.b8(identifier).u32(subscribers).b16(topic).raw(sha512)),
  checked: (etag: Uint8Array) => of(15, (to) => to.u8(0).raw(etag)),
  confirmSet: (etag: Uint8Array) => of(16, (to) => to.u8(0).raw(etag)),
  confirmConfigure: (nonce: Uint8Array) => of(17, (to) => to.b8(nonce)),
  enableZstdPreset: (
    url: string,
    { compressor, level, messageBytesMin, messageBytesEnd }: Preset,
  ) =>
    of(18, (to) =>
      to.str16(url).u32(compressor).u32(level).u64(BigInt(messageBytesMin)).u64(messageBytesEnd),
    ),
  continueNotify: (identifier: Uint8Array, partId: number) =>
    of(21, (to) => to.b8(identifier).u32(partId)),
} as const

function of(kind: number, writeFields: (to: ByteWriter) => ByteWriter): Signed {
  return { kind, writeFields }
}

/** All that is signed of a message. */
export function bytesToSign(
  { kind, writeFields }: Signed,
  timestampS: number,
  nonce: string,
  tracing: Uint8Array,
): Buffer {
  const prefix = new ByteWriter()
    .u8(kind)
    .u64(BigInt(timestampS))
    .b8(Buffer.from(nonce))
    .b16(tracing)
  return writeFields(prefix).bytes()
}
