import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { StoreView } from '../log/tools/store-view.ts'
import { storeOwner } from '../log/sqlite/store-owner.ts'
import { existingStore, readLogArguments } from './log-arguments.ts'

export async function logInfo(words: readonly string[]): Promise<number> {
  const { values } = readLogArguments(words, {}, 0)
  const directory = existingStore(values)
  let isDamaged = false
  using view = new StoreView(directory, () => (isDamaged = true))
  const [first, last] = [view.first(), view.last()]
  const { kept, missing } = view.count()
  const owner = storeOwner(directory)
  const bytes = first && last ? last.bytesBefore - first.bytesBefore + last.payload.length : 0
  const lines = {
    store: directory,
    server: owner === null ? 'none has it open' : `process ${owner} has it open`,
    events: `${kept}${missing > 0 ? `, and ${missing} are missing between them` : ''}`,
    oldest: time(first?.publishedAtMs),
    newest: time(last?.publishedAtMs),
    size: `${bytes} bytes`,
    'on disk': `${bytesOnDisk(directory)} bytes`,
    starts: `${view.starts}`,
    damage:
      isDamaged || missing > 0
        ? 'yes; pubsubd log verify says where'
        : 'none seen; pubsubd log verify looks everywhere',
  }
  for (const [name, value] of Object.entries(lines))
    process.stdout.write(`${name.padEnd(8)} ${value}\n`)
  return isDamaged || missing > 0 ? 1 : 0
}

function time(ms: number | undefined): string {
  return ms === undefined ? 'none' : new Date(ms).toISOString()
}

function bytesOnDisk(directory: string): number {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
  return files
    .filter((file) => file.isFile())
    .reduce((sum, { parentPath, name }) => sum + sizeOf(join(parentPath, name)), 0)
}

/** The server may take a file away at any moment. */
function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}
