import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stateStoreContract } from '../../contracts/state-store.ts'
import { loseNextOutcome } from './lost-outcome.ts'
import { StoreFolder } from './store-folder.ts'

for (const durability of ['disk', 'os'] as const)
  stateStoreContract(`sqlite, ${durability}`, async () => {
    const folder = new StoreFolder()
    const { log, stateStore } = await folder.open({ durability })
    return {
      store: stateStore,
      nowMs: () => folder.clock.wallMs(),
      passTime(ms) {
        folder.clock.pass(ms)
      },
      loseNextOutcome,
      async [Symbol.asyncDispose]() {
        await log[Symbol.asyncDispose]()
        folder[Symbol.dispose]()
      },
    }
  })

test('sqlite: entries are all there, however many pages they take, also while some are deleted', async () => {
  using folder = new StoreFolder()
  await using opened = await folder.open({ durability: 'os' })
  const { stateStore } = opened
  const keys = Array.from({ length: 700 }, (_, n) => String(n).padStart(4, '0'))
  const changes = keys.map((key) => ({ space: 'a', key, value: Buffer.from(key) }))
  await stateStore.apply([...changes.toReversed(), { space: 'b', key: '0', value: Buffer.of() }])
  const found: string[] = []
  for await (const { key, value } of stateStore.entries('a')) {
    assert.equal(Buffer.from(value).toString(), key)
    if (found.push(key) % 100 === 50) await stateStore.apply([{ space: 'a', key, value: null }])
  }
  assert.deepEqual(found, keys)
})
