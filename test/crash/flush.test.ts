import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { replay } from './reader.ts'
import { missing } from '../programs.ts'
import { TracedServer, type SystemCall } from './traced-server.ts'

/** In the payload, so that the writes that hold the event are known. */
const MARK = 'a mark that stands nowhere else'

test(
  'with durability disk an event is flushed before the 202 and before a subscriber gets it',
  { skip: missing('strace') },
  async () => {
    const { flush, accepted, shown } = await tracePublication('disk')
    assert.ok(flush !== null, 'the event was not flushed')
    assert.ok(flush.endedAt < accepted.beganAt, 'the 202 was sent before the flush had ended')
    assert.ok(flush.endedAt < shown.beganAt, 'the event was shown before the flush had ended')
  },
)

test(
  'with durability os nobody waits for a flush, so the test above can tell the difference',
  { skip: missing('strace') },
  async () => {
    const { flush, accepted, shown } = await tracePublication('os')
    assert.ok(flush === null || flush.beganAt > accepted.beganAt)
    assert.ok(flush === null || flush.beganAt > shown.beganAt)
  },
)

const SOCKET = /socket:/
const SYNC = /^f(data)?sync$/

/** What one publication did: its first flush after the store had it, the write of the 202, the write to a subscriber. */
async function tracePublication(
  durability: 'disk' | 'os',
): Promise<{ flush: SystemCall | null; accepted: SystemCall; shown: SystemCall }> {
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-flush-'))
  try {
    await using server = await TracedServer.start({ directory, durability, trace: 'trace' })
    const isOpen = Promise.withResolvers<void>()
    const reading = replay(server.port, '/', (line) => {
      isOpen.resolve()
      return line.type !== 'event'
    })
    await isOpen.promise
    const answer = await fetch(`http://127.0.0.1:${server.port}/marked`, {
      method: 'PUT',
      body: JSON.stringify({ text: MARK }),
    })
    assert.equal(answer.status, 202)
    await reading
    await server.stop('SIGTERM')

    const calls = await server.calls()
    const find = (file: RegExp, text: string) =>
      calls.find(
        (call) => file.test(call.file) && call.strings.some((bytes) => bytes.includes(text)),
      )
    const stored = find(/-wal$/, MARK)
    const accepted = find(SOCKET, 'HTTP/1.1 202')
    const shown = find(SOCKET, MARK)
    assert.ok(stored !== undefined, 'the event is not in the write-ahead log')
    assert.ok(accepted !== undefined && shown !== undefined)
    const flush = calls.find(
      (call) =>
        SYNC.test(call.name) &&
        call.result === 0 &&
        call.file === stored.file &&
        call.beganAt > stored.endedAt,
    )
    return { flush: flush ?? null, accepted, shown }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
