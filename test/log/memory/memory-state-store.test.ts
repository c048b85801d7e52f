import { MemoryStateStore } from '../../../src/log/memory/memory-state-store.ts'
import { stateStoreContract } from '../../contracts/state-store.ts'

stateStoreContract('memory', () => {
  let nowMs = 1_700_000_000_000
  return Promise.resolve({
    store: new MemoryStateStore(() => nowMs),
    nowMs: () => nowMs,
    passTime(ms) {
      nowMs += ms
    },
    loseNextOutcome: 'memory takes what it is given in one step',
    [Symbol.asyncDispose]: () => Promise.resolve(),
  })
})
