import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { publication } from '../contracts/event-log.ts'
import { readAll, StoreFolder } from './store-folder.ts'

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
    const before = await store.log.append([publication('/before')])
    const appended = Promise.allSettled(
      Array.from({ length: 50 }, (_, n) => store.log.append([publication(`/${n}`)])),
    )
    await new Promise((resolve) => setImmediate(resolve))
    await [...threads][nth]!.terminate()
    const acknowledged = (await appended).flatMap((result) => {
      if (result.status === 'fulfilled') return result.value
      assert.equal(result.reason.code, 'LOG_UNAVAILABLE')
      return []
    })
    while (!store.log.status.writable) await new Promise((resolve) => setTimeout(resolve, 10))
    const after = await store.log.append([publication('/after')])
    assert.deepEqual(await readAll(store.log), [...before, ...acknowledged, ...after])
    assert.match(folder.told.join('\n'), /error events cannot be stored: .*\ninfo events can be/)
  })
