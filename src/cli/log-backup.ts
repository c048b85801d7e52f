import { existsSync } from 'node:fs'
import { backupStore, isUnfinished } from '../log/tools/backup-store.ts'
import { UsageError } from './arguments.ts'
import { existingStore, readLogArguments } from './log-arguments.ts'
import { ProgressBar } from './progress-bar.ts'

export async function logBackup(words: readonly string[]): Promise<number> {
  const { values, names } = readLogArguments(words, {}, 1)
  const [copy] = names
  if (copy === undefined) throw new UsageError('name the directory that shall hold the copy')
  const directory = existingStore(values)
  if (isUnfinished(copy))
    throw new Error(`${copy} holds a copy that was not finished: remove it, or name another`)
  if (existsSync(copy))
    throw new Error(`${copy} exists already; a copy gets a new directory of its own`)
  using bar = new ProgressBar('copying')
  await backupStore(directory, copy, (pagesDone, pages) => bar.show(pagesDone, pages))
  process.stdout.write(`copied ${directory} to ${copy}\n`)
  return 0
}
