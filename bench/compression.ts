import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import {
  constants,
  createDeflateRaw,
  deflateRawSync,
  gzipSync,
  zstdCompressSync,
  type DeflateRaw,
} from 'node:zlib'
import type { Cursor, Position } from '../src/hub/event.ts'
import { eventLine } from '../src/http/stream/pypubsub-line.ts'
import { median, row } from './harness.ts'

/** What compressing a round of an audience saves and costs, for docs/decisions/0011-no-compression.md. Run: node bench/compression.ts */

const ROUNDS = 500

const WORDS =
  'fix add drop test parser socket buffer reader cursor timeout limit the a of in when'.split(' ')

function digest(text: string): string {
  return createHash('sha1').update(text).digest('hex')
}

function words(count: number, seed: string): string {
  const bytes = createHash('sha256').update(seed).digest()
  return Array.from({ length: count }, (_, at) => WORDS[bytes[at]! % WORDS.length]).join(' ')
}

/** A commit as sites publish them: 300 bytes of payload. */
function line(n: number): string {
  const text = JSON.stringify({
    repository: 'infrastructure-pubsub',
    revision: digest(`revision ${n}`),
    author: `${words(1, `author ${n}`)}@example.org`,
    message: words(18, `message ${n}`),
    files: [`src/${words(1, `a ${n}`)}.ts`, `test/${words(1, `b ${n}`)}.test.ts`],
  })
  const cursor = digest(`cursor ${n}`).replace(
    /^(.{8})(.{4})(.{4})(.{4})(.{12}).*/,
    '$1-$2-$3-$4-$5',
  )
  return eventLine({
    topics: ['commit', 'git', 'infrastructure-pubsub'],
    isPrivate: false,
    path: '/commit/git/infrastructure-pubsub',
    payload: { type: 'json-object', text },
    cursor: cursor as Cursor,
    position: n as Position,
    publishedAtMs: 1_795_226_498_217 + 37 * n,
  })
}

/** A context that lives as long as its subscriber: what a proxy does for each connection. */
function ownContext(level: number): (round: Buffer) => Promise<number> {
  const deflate: DeflateRaw = createDeflateRaw({ level })
  const flush = promisify((done: () => void) => deflate.flush(constants.Z_SYNC_FLUSH, done))
  let bytes = 0
  deflate.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  return async (round) => {
    const before = bytes
    deflate.write(round)
    await flush()
    return bytes - before
  }
}

const { Z_FULL_FLUSH, ZSTD_c_compressionLevel: ZSTD_LEVEL } = constants
type Compress = (round: Buffer) => number | Promise<number>

/** Once for all of an audience, in a form that a reader may join at any round; and, to compare, once for each reader. */
const forms: Readonly<Record<string, () => Compress>> = {
  'gzip members, level 6': () => (round) => gzipSync(round).length,
  'one gzip member, full flush, level 1': () => (round) =>
    deflateRawSync(round, { level: 1, finishFlush: Z_FULL_FLUSH }).length,
  'one gzip member, full flush, level 6': () => (round) =>
    deflateRawSync(round, { level: 6, finishFlush: Z_FULL_FLUSH }).length,
  'zstd frames, level 1': () => (round) =>
    zstdCompressSync(round, { params: { [ZSTD_LEVEL]: 1 } }).length,
  'zstd frames, level 3': () => (round) => zstdCompressSync(round).length,
  'own context per reader, gzip level 6': () => ownContext(6),
}

row('form', 'events a round', 'bytes a round', 'compressed', 'ratio', 'µs a round')
row('---', '---', '---', '---', '---', '---')
for (const eventsPerRound of [1, 4, 16, 64])
  for (const [form, make] of Object.entries(forms)) {
    const compress = make()
    const microseconds: number[] = []
    let before = 0
    let after = 0
    for (let n = 0; n < ROUNDS; n++) {
      const lines = Array.from({ length: eventsPerRound }, (_, at) => line(n * eventsPerRound + at))
      const round = Buffer.from(lines.join(''))
      const start = process.hrtime.bigint()
      after += await compress(round)
      microseconds.push(Number(process.hrtime.bigint() - start) / 1e3)
      before += round.length
    }
    const ratio = (before / after).toFixed(2)
    row(
      form,
      eventsPerRound,
      Math.round(before / ROUNDS),
      Math.round(after / ROUNDS),
      ratio,
      median(microseconds),
    )
  }
