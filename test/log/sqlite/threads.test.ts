import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import type { Receipt } from '../../../src/hub/event-log.ts'
import { publication } from '../../contracts/event-log.ts'
import { readAll, StoreFolder, type OpenedStore } from './store-folder.ts'
import { appendTo } from '../append-to.ts'

/** Every thread that was given something to do, in the order of its first task. */
const threads = new Set<Worker>()
// oxlint-disable-next-line typescript/unbound-method -- it is given back its worker below
const { postMessage } = Worker.prototype
Worker.prototype.postMessage = function (this: Worker, ...words) {
  threads.add(this)
  return postMessage.apply(this, words)
}

for (const [nth, name] of [
  [0, 'writes'],
  [1, 'reads'],
] as const)
  test(`when the thread that ${name} ends by itself, the log says so and goes on with another`, async () => {
    using folder = new StoreFolder()
    threads.clear()
    await using store = await folder.open()
    const before = await appendTo(store.log, [publication('/before')])
    const appended = Promise.allSettled(
      Array.from({ length: 50 }, (_, n) => appendTo(store.log, [publication(`/${n}`)])),
    )
    await new Promise((resolve) => setImmediate(resolve))
    await [...threads][nth]!.terminate()
    const acknowledged = (await appended).flatMap((result) => {
      if (result.status === 'fulfilled') return result.value
      assert.match(result.reason.code, REFUSED)
      return []
    })
    while (!store.log.status.writable) await new Promise((resolve) => setTimeout(resolve, 10))
    const after = await appendTo(store.log, [publication('/after')])
    assert.deepEqual(await readAll(store.log), [...before, ...acknowledged, ...after])
    assert.match(folder.told.join('\n'), /error events cannot be stored: .*\ninfo events can be/)
  })

test('a keyed publication whose commit is lost with its thread is stored once by its repeats, after a restart too', async () => {
  using folder = new StoreFolder()
  const keys = Array.from({ length: 200 }, (_, n) => `${n}`)
  {
    threads.clear()
    await using opened = await folder.open()
    await opened.log.append([publication('/before')])
    const first = Promise.allSettled(keys.slice(0, 100).map((key) => storeOnce(opened, key)))
    await new Promise((resolve) => setImmediate(resolve))
    await [...threads][0]!.terminate()
    for (const result of await first)
      if (result.status === 'rejected') assert.match(result.reason.code, REFUSED)
    while (!opened.log.status.writable) await new Promise((resolve) => setTimeout(resolve, 10))
    for (const key of keys.slice(0, 50)) await storeOnce(opened, key)
  }
  await using opened = await folder.open()
  for (const key of keys) await storeOnce(opened, key)
  const stored = (await readAll(opened.log)).map(({ path }) => path)
  assert.deepEqual(stored.toSorted(), ['/before', ...keys.map((key) => `/${key}`)].toSorted())
})

/** The rest waited, or was on its way. */
const REFUSED = /^(LOG_UNAVAILABLE|OUTCOME_UNKNOWN)$/

/** Each key with an event of its own. */
function storeOnce({ log }: OpenedStore, key: string): Promise<Receipt> {
  return log.append([publication(`/${key}`)], { once: { key, fingerprint: 'f' } })
}
