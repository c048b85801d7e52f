import assert from 'node:assert/strict'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { test } from 'node:test'
import { backupStore } from '../../../src/log/tools/backup-store.ts'
import { publication } from '../../contracts/event-log.ts'
import { readAll, StoreFolder } from '../sqlite/store-folder.ts'
import { appendTo } from '../append-to.ts'

test('a copy has what the store had when it began, whatever is published meanwhile', async () => {
  using folder = new StoreFolder()
  await using store = await folder.open({ durability: 'os' })
  const batch = Array.from({ length: 500 }, (_, n) =>
    publication('/a', { n, text: 'x'.repeat(4_000) }),
  )
  const before = [...(await appendTo(store.log, batch)), ...(await appendTo(store.log, batch))]
  await store.stateStore.apply([{ space: 's', key: 'k', value: Buffer.from('v') }])

  let steps = 0
  let writing: Promise<unknown> = Promise.resolve()
  let lastDone = 0
  const directory = folder.file('copy')
  await backupStore(folder.directory, directory, (done, total) => {
    assert.ok(done >= lastDone && done <= total)
    lastDone = done
    if (steps++ === 0) writing = appendTo(store.log, batch)
  })
  await writing
  assert.ok(steps > 0, 'it was over in one step')
  assert.equal((await readAll(store.log)).length, 1_500)

  using copy = new StoreFolder(directory)
  await using opened = await copy.open()
  assert.deepEqual(await readAll(opened.log), before)
  assert.equal(Buffer.from((await opened.stateStore.get('s', 'k'))!).toString(), 'v')
  assert.deepEqual(copy.told, [])
})

test('a copy is for its owner only, and nothing but the database is in it', async () => {
  using folder = new StoreFolder()
  await (await folder.open())[Symbol.asyncDispose]()
  await backupStore(folder.directory, folder.file('copy'), () => {})
  assert.equal(statSync(folder.file('copy')).mode & 0o777, 0o700)
  assert.deepEqual(readdirSync(folder.file('copy')), ['events.db'])
})

test('what is there already is left alone, and a copy that fails leaves nothing', async () => {
  using folder = new StoreFolder()
  await (await folder.open())[Symbol.asyncDispose]()
  await backupStore(folder.directory, folder.file('copy'), () => {})
  await assert.rejects(
    backupStore(folder.directory, folder.file('copy'), () => {}),
    /EEXIST/,
  )
  assert.deepEqual(readdirSync(folder.file('copy')), ['events.db'])

  await assert.rejects(backupStore(folder.file('nowhere'), folder.file('third'), () => {}))
  assert.ok(!existsSync(folder.file('third')))
})
