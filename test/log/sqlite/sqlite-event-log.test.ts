import { eventLogContract } from '../../contracts/event-log.ts'
import { loseNextOutcome } from './lost-outcome.ts'
import { StoreFolder } from './store-folder.ts'

for (const durability of ['disk', 'os'] as const) {
  eventLogContract(`sqlite, ${durability}`, async (options) => {
    const folder = new StoreFolder()
    const { log, stateStore } = await folder.open({ ...options, durability })
    return {
      log,
      stateStore,
      loseNextOutcome,
      clock: folder.clock,
      told: folder.told,
      async [Symbol.asyncDispose]() {
        await log[Symbol.asyncDispose]()
        folder[Symbol.dispose]()
      },
    }
  })
}
