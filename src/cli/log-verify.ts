import { printable } from '../ops/logger.ts'
import { verifyStore } from '../log/tools/verify-store.ts'
import { existingStore, readLogArguments } from './log-arguments.ts'
import { ProgressBar } from './progress-bar.ts'

export async function logVerify(words: readonly string[]): Promise<number> {
  const { values } = readLogArguments(words, {}, 0)
  const directory = existingStore(values)
  const found: string[] = []
  let count = 0
  const onDamage = (message: string) => {
    if (count++ < DAMAGE_SHOWN_MAX) found.push(printable(message))
  }
  let whole = 0
  {
    using bar = new ProgressBar('verifying')
    whole = verifyStore(directory, onDamage, (done, total) =>
      bar.show(done, total, count === 0 ? '' : `damaged places: ${count}`),
    )
  }
  for (const message of found) process.stdout.write(`${message}\n`)
  if (count > found.length) process.stdout.write(`and ${count - found.length} more\n`)
  const verdict = count === 0 ? 'no damage found' : `damaged places: ${count}`
  process.stdout.write(`${whole} events as they were written, ${verdict}\n`)
  return count === 0 ? 0 : 1
}

const DAMAGE_SHOWN_MAX = 100
