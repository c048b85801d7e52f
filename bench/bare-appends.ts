import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** The yardstick of a durable log, which pays at least this: how long each append with its flush takes, in ms. */
export function bareAppends(directory: string): number[] {
  const file = openSync(join(directory, 'bare'), 'w')
  const line = Buffer.alloc(350, 'x')
  const all = Array.from({ length: 3_000 }, () => {
    const startMs = performance.now()
    writeSync(file, line)
    fdatasyncSync(file)
    return performance.now() - startMs
  })
  closeSync(file)
  return all
}
