import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { durationText, type ClockLeap, type LogClock } from '../log/log-clock.ts'
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
    clock: clockText(view.clock, last?.publishedAtMs ?? 0),
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
  for (const leap of view.clock.mark.leaps)
    process.stdout.write(`leap     ${leapText(leap, view)}\n`)
  return isDamaged || missing > 0 ? 1 : 0
}

function time(ms: number | undefined): string {
  return ms === undefined ? 'none' : new Date(ms).toISOString()
}

/** How the log's time and the machine's agree. */
function clockText(clock: LogClock, newestMs: number): string {
  const aheadMs = clock.nowMs - Date.now()
  if (newestMs - Date.now() > AGREED_MS)
    return `the newest event is ${durationText(newestMs - Date.now())} in the future; until then times go at half speed`
  if (Math.abs(aheadMs) <= AGREED_MS) return "as the machine's"
  const where = aheadMs > 0 ? 'ahead of' : 'behind'
  return `${durationText(Math.abs(aheadMs))} ${where} the machine's, which has leapt`
}

/** Which events have other times than a right clock would have given them. */
function leapText({ atMs, byMs, endMs, followedByMs }: ClockLeap, view: StoreView): string {
  const what =
    byMs > 0
      ? `${time(atMs)} the machine's clock went ${durationText(byMs)} forward`
      : `${time(atMs)} the machine's clock was ${durationText(-byMs)} behind the log`
  const until = endMs === null ? 'until now' : `until ${time(endMs)}`
  const count = view.countBetween(atMs, endMs ?? Number.MAX_SAFE_INTEGER)
  if (byMs < 0) return `${what} ${until}: the times of ${count} events are up to so much too late`
  if (endMs === null)
    return `${what}, and is not followed yet: ${count} events have the log's own time`
  if (followedByMs === 0) return `${what} ${until}, and was not followed: no event has a wrong time`
  return `${what}, and was followed at ${time(endMs)}: the times of ${count} events are so much too early`
}

/** Less is what clocks differ by anyway. */
const AGREED_MS = 5_000

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
