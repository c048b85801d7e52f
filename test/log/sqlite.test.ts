import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteStore } from '../../src/log/sqlite-store.ts'
import { eventLogContract } from '../contracts/event-log.ts'

for (const durability of ['disk', 'os'] as const)
  eventLogContract(`sqlite, ${durability}`, async (options) => {
    let nowMs = 1_700_000_000_000
    const directory = mkdtempSync(join(tmpdir(), 'pubsubd-log-'))
    const { eventLog } = await openSqliteStore({
      ...options,
      directory,
      durability,
      bytesMax: 1e9,
      reserveBytes: 0,
      now: () => nowMs,
      log: console.log,
    })
    return {
      log: eventLog,
      passTime(ms) {
        nowMs += ms
      },
      async [Symbol.asyncDispose]() {
        await eventLog[Symbol.asyncDispose]()
        rmSync(directory, { recursive: true, force: true })
      },
    }
  })
