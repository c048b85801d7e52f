import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { appendFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { PublishedEvent } from '../../../src/hub/event.ts'
import type { Receipt } from '../../../src/hub/event-log.ts'
import { publication } from '../../contracts/event-log.ts'
import { readAll, StoreFolder, type OpenedStore } from './store-folder.ts'
import { appendTo } from '../append-to.ts'

test('below the reserve publishers are refused, readers go on, and it heals by itself', async (t) => {
  using disk = smallDisk(t)
  if (disk === undefined) return
  using folder = new StoreFolder(disk.path)
  await using store = await folder.open({ reserveBytes: 4 * MIB })
  const acknowledged = [...(await appendTo(store.log, [publication('/a')]))]
  writeFileSync(folder.file('filler'), Buffer.alloc(10 * MIB))
  await untilRefused(store, acknowledged)
  assert.equal(store.log.status.writable, false)
  assert.deepEqual(await readAll(store.log), acknowledged)
  assert.match(
    folder.told.join('\n'),
    /error events cannot be stored: the disk .* has less than 4194304 bytes/,
  )

  rmSync(folder.file('filler'))
  await untilWritable(store)
  acknowledged.push(...(await appendTo(store.log, [publication('/healed')])))
  assert.deepEqual(await readAll(store.log), acknowledged)
})

test('a keyed publication that a full disk refused is stored by its repeat', async (t) => {
  using disk = smallDisk(t)
  if (disk === undefined) return
  using folder = new StoreFolder(disk.path)
  let receipt
  {
    await using opened = await folder.open({ reserveBytes: 4 * MIB })
    writeFileSync(folder.file('filler'), Buffer.alloc(13 * MIB))
    for (let repeat = 0; repeat < 2; repeat++)
      await assert.rejects(storeOnce(opened), { code: 'LOG_UNAVAILABLE' })
    rmSync(folder.file('filler'))
    await untilWritable(opened)
    receipt = await storeOnce(opened)
    assert.deepEqual(await storeOnce(opened), receipt)
    assert.equal((await readAll(opened.log)).length, 1)
  }
  await using opened = await folder.open({ reserveBytes: 4 * MIB })
  assert.deepEqual(await storeOnce(opened), receipt)
  assert.equal((await readAll(opened.log)).length, 1)
})

test('a disk that the events themselves have filled heals when they pass their age', async (t) => {
  using disk = smallDisk(t, 64)
  if (disk === undefined) return
  using folder = new StoreFolder(disk.path)
  await using store = await folder.open({ reserveBytes: 24 * MIB, maxAgeMs: 1_000 })
  for (let round = 0; round < 3; round++) {
    await untilRefused(store, [])
    folder.clock.pass(2_000)
    await untilWritable(store)
    const appended = await appendTo(store.log, [publication('/healed')])
    assert.deepEqual(await readAll(store.log), appended)
  }
  const lines = folder.told.map((line) => line.split(':')[0])
  assert.deepEqual(lines, ['error events cannot be stored', 'info events can be stored again'])
})

test('on a full disk nothing that was acknowledged is missing, nor later, nor after a restart', async (t) => {
  using disk = smallDisk(t)
  if (disk === undefined) return
  using folder = new StoreFolder(disk.path)
  const acknowledged: PublishedEvent[] = []
  {
    await using store = await folder.open()
    for (let round = 0; round < 3; round++) {
      fill(folder.file('filler'))
      await untilRefused(store, acknowledged)
      assert.deepEqual(await readAll(store.log), acknowledged)
      rmSync(folder.file('filler'))
      await untilWritable(store)
      acknowledged.push(...(await appendTo(store.log, [publication('/healed')])))
    }
    fill(folder.file('filler'))
    await untilRefused(store, acknowledged)
  }
  try {
    await using store = await folder.open()
    assert.deepEqual(await readAll(store.log), acknowledged)
  } catch (error) {
    assert.match((error as Error).message, /the store .* cannot be (opened|written)/)
  }
  rmSync(folder.file('filler'))
  await using store = await folder.open()
  assert.deepEqual(await readAll(store.log), acknowledged)
  assert.deepEqual(
    folder.told.filter((line) => !/events cannot be stored|stored again|write-ahead/.test(line)),
    [],
  )
})

test('a disk that is read-only is a clear error at the start', async (t) => {
  using disk = smallDisk(t)
  if (disk === undefined) return
  using folder = new StoreFolder(disk.path)
  await (await folder.open())[Symbol.asyncDispose]()
  disk.remount('ro')
  await assert.rejects(folder.open(), { message: /the store .* cannot be written/ })
  await assert.rejects(folder.open({ directory: folder.file('new.pubsubd') }), {
    message: /the store .*new\.pubsubd cannot be written/,
  })
})

function storeOnce({ log }: OpenedStore): Promise<Receipt> {
  return log.append([publication('/once')], { once: { key: 'k', fingerprint: 'f' } })
}

/** Takes all the space there is. */
function fill(file: string): void {
  try {
    for (;;) appendFileSync(file, Buffer.alloc(65_536))
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'ENOSPC')
  }
}

/** Publishes until that fails; what went through before is acknowledged. */
async function untilRefused({ log }: OpenedStore, acknowledged: PublishedEvent[]): Promise<void> {
  for (;;) {
    try {
      const text = 'x'.repeat(20_000)
      acknowledged.push(...(await appendTo(log, [publication('/a', { text }), publication('/b')])))
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'LOG_UNAVAILABLE')
      return
    }
  }
}

async function untilWritable({ log }: OpenedStore): Promise<void> {
  const untilMs = performance.now() + 10_000
  while (!log.status.writable) {
    assert.ok(performance.now() < untilMs, 'it has not healed')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** A file system of its own. Without the right to mount one the test is skipped, but in CI it fails. */
function smallDisk(t: TestContext, mib = 16) {
  const path = mkdtempSync(join(tmpdir(), 'pubsubd-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m,mode=0700`, 'tmpfs', path], {
      stdio: 'pipe',
    })
  } catch (error) {
    rmSync(path, { recursive: true })
    if (process.env['CI'] === 'true') throw error
    t.skip(`a file system cannot be mounted here: ${(error as Error).message}`)
    return undefined
  }
  return {
    path,
    remount: (mode: 'ro' | 'rw') => execFileSync('mount', ['-o', `remount,${mode}`, path]),
    [Symbol.dispose]() {
      execFileSync('umount', ['--lazy', path])
      if (existsSync(path)) rmSync(path, { recursive: true })
    },
  }
}

const MIB = 2 ** 20
