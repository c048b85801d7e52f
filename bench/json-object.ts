import { readJsonObject } from '../src/publication/json-object.ts'

/** Time per call of readJsonObject beside JSON.parse alone, for bodies of a few sizes. Run: node bench/json-object.ts */

const DEPTH_MAX = 900

/** Rounds are repeated and the best is shown: whatever else the machine does only ever adds. */
const ROUNDS = 9

function commit(bytes: number, author: string): object {
  const files: object[] = []
  const body = { repository: 'infra', id: 123456, author, files }
  for (let n = 0; JSON.stringify(body).length < bytes - 30; n++)
    files.push({ path: `src/module-${n}.ts`, lines: [n, n * 1.5, -1], isNew: n % 3 === 0 })
  return body
}

const bodies: Readonly<Record<string, string>> = {
  '100 B':
    '{"repository":"infra","commit":{"id":123456,"ok":true},"author":"jane@example.org","lines":[1,2,3]}',
  '1 KB': JSON.stringify(commit(1_000, 'jane')),
  '1 KB, pretty-printed': JSON.stringify(commit(800, 'jane'), null, 1),
  '1 KB, not ASCII': JSON.stringify(commit(1_000, 'Žofie')),
  '1 KB, a member of ours': JSON.stringify({ pubsub_path: '/a', ...commit(980, 'jane') }),
  '100 KB': JSON.stringify(commit(100_000, 'jane')),
  '100 KB, one string': JSON.stringify({ text: 'x'.repeat(100_000) }),
  '100 KB, not ASCII': JSON.stringify(commit(100_000, 'Žofie')),
  '100 KB, a member of ours': JSON.stringify({ pubsub_path: '/a', ...commit(100_000, 'jane') }),
  '100 KB, empty lists': `{"a":[${'[],'.repeat(33_000)}0]}`,
}

function nanoseconds(work: () => unknown, calls: number): number {
  let best = Infinity
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint()
    for (let call = 0; call < calls; call++) work()
    best = Math.min(best, Number(process.hrtime.bigint() - start) / calls)
  }
  return Math.round(best)
}

for (const [name, text] of Object.entries(bodies)) {
  const body = Buffer.from(text)
  const calls = Math.ceil(10_000_000 / body.length)
  const parse = nanoseconds(() => JSON.parse(text), calls)
  const read = nanoseconds(() => readJsonObject(body, DEPTH_MAX), calls)
  console.log(
    `${name.padEnd(26)} JSON.parse ${String(parse).padStart(9)} ns   readJsonObject ${String(read).padStart(9)} ns`,
  )
}
