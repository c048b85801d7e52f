import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { areFramesWhole } from '../../../src/log/sqlite/wal-frames.ts'

const FRAME_BYTES = 4_120

/** The write-ahead log of some commits, and of a log that was begun anew in the same file. */
function writtenLogs(): { readonly log: Buffer; readonly frames: number }[] {
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-wal-'))
  const path = join(directory, 'a.db')
  const database = new DatabaseSync(path)
  try {
    database.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (text)')
    return [200, 20].map((rows) => {
      database.exec('PRAGMA wal_checkpoint(RESTART)')
      for (let n = 0; n < rows; n++)
        database.prepare('INSERT INTO t VALUES (?)').run('x'.repeat(100))
      const { log } = database.prepare('PRAGMA wal_checkpoint(NOOP)').get() as { log: number }
      return { log: readFileSync(`${path}-wal`), frames: log }
    })
  } finally {
    database.close()
    rmSync(directory, { recursive: true })
  }
}

function isWhole(log: Buffer, to: number, from = 0): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-wal-'))
  writeFileSync(join(directory, 'wal'), log)
  const descriptor = openSync(join(directory, 'wal'), 'r')
  try {
    const header = log.subarray(0, 32)
    return areFramesWhole({ descriptor, header, from, to, pageBytes: 4_096 })
  } finally {
    closeSync(descriptor)
    rmSync(directory, { recursive: true })
  }
}

test('a write-ahead log as SQLite has written it is whole, one that was begun anew and one without frames, too', () => {
  const logs = writtenLogs()
  assert.ok(logs[0]!.frames > 100)
  for (const { log, frames } of logs)
    for (const count of [0, 1, 64, 65, frames])
      if (count <= frames) assert.equal(isWhole(log, count), true, `${count} of ${frames}`)
})

test('whatever byte of its frames is changed, or missing, it is not', () => {
  const [{ log, frames }] = writtenLogs() as [{ log: Buffer; frames: number }]
  const end = 32 + frames * FRAME_BYTES
  fc.assert(
    fc.property(
      fc.integer({ min: 32, max: end - 1 }),
      fc.integer({ min: 1, max: 255 }),
      (at, by) => {
        const changed = Buffer.from(log)
        changed[at]! ^= by
        const inFrame = (at - 32) % FRAME_BYTES
        // The salts are compared with those of the header, of the last frame only.
        if (inFrame >= 8 && inFrame < 16) return
        assert.equal(isWhole(changed, frames), false, `byte ${at}`)
        const frame = Math.floor((at - 32) / FRAME_BYTES)
        assert.equal(isWhole(changed, frame + 1, frame), false, `byte ${at}, its frame alone`)
      },
    ),
  )
  assert.equal(isWhole(log.subarray(0, end - 1), frames), false)
})
