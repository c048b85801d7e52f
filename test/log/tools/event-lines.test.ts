import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { eventLines, type EventLine } from '../../../src/log/tools/event-lines.ts'
import { BrokenLineError, type PastEvent } from '../../../src/log/tools/past-event.ts'

/** A parser whose events are the words of their lines. */
function parse(line: string): PastEvent {
  if (line.startsWith('!')) throw new BrokenLineError(line)
  const payload = { type: 'json-object', text: line } as const
  return { topics: [], isPrivate: false, path: '/', payload, publishedAtMs: 0 }
}

async function* chunksOf(bytes: Buffer, lengths: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0
  for (const length of lengths) yield bytes.subarray(at, (at += length))
  yield bytes.subarray(at)
}

function linesOf(bytes: Buffer, lengths: readonly number[] = []): Promise<EventLine[]> {
  return Array.fromAsync(eventLines(chunksOf(bytes, lengths), parse))
}

test('wherever a read ends, each line that is not blank comes with its number and its place', async () => {
  const line = fc.string({ unit: fc.constantFrom('a', '!', ' ', '\r', 'é', '𝄞', '{') })
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.array(fc.nat(20)), async (texts, lengths) => {
      const expected = texts.flatMap((text, i): unknown[] => {
        const words = text.trim()
        if (words === '') return []
        const end = Buffer.byteLength(texts.slice(0, i + 1).join('\n'))
        const place = { number: i + 1, bytesRead: i + 1 === texts.length ? end : end + 1 }
        return [
          words.startsWith('!') ? { ...place, problem: words } : { ...place, event: parse(words) },
        ]
      })
      assert.deepEqual(await linesOf(Buffer.from(texts.join('\n')), lengths), expected)
    }),
  )
})

test('a byte order mark is dropped, and bytes that are no UTF-8 cost their line only', async () => {
  const bytes = Buffer.from('\ufeffa\n?\nb\n')
  bytes[bytes.indexOf('?')] = 0xff
  const told = await linesOf(bytes)
  assert.deepEqual(
    told.map((line) => ('event' in line ? line.event.payload.text : line.problem)),
    ['a', 'not valid UTF-8', 'b'],
  )
})

test('what a parser throws beside a broken line ends the reading', async () => {
  const lines = eventLines(chunksOf(Buffer.from('a\n'), []), () => {
    throw new TypeError('a bug')
  })
  await assert.rejects(Array.fromAsync(lines), { message: 'a bug' })
})

test('a file without a line has none', async () => {
  for (const text of ['', '\n', ' \n\r\n\n']) assert.deepEqual(await linesOf(Buffer.from(text)), [])
})
