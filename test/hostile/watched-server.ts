import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { FLAGS } from '../../src/cli/node-flags.ts'
import { startServer, type RunningServer } from '../running-server.ts'
import type { Question, RestReport, TurnReport } from './turn-meter.ts'

/** What a server may hold when nobody holds anything of it. */
export interface Rest {
  readonly heapBytes: number
  readonly handles: Readonly<Record<string, number>>
  /** `null` where the system does not show them. */
  readonly fileDescriptors: number | null
}

/** A running server whose turns, heap and handles can be asked for. */
export interface WatchedServer extends RunningServer {
  /** The dearest turn since the last call, everything included that the server has taken in by now. */
  turns(): Promise<TurnReport>
  /** What it holds after a collection. */
  rest(): Promise<Rest>
}

type Section = Readonly<Record<string, unknown>>

export interface WatchedOptions {
  /** Sections of pubsub.yaml. This machine may publish, unless they say otherwise. */
  readonly config?: Readonly<Record<string, Section>>
  /** What stands in pubsub_acl.yaml. */
  readonly acl?: Section
  /** Modules that its process loads first, beside the meter. */
  readonly imports?: readonly URL[]
}

const METER = new URL('turn-meter.ts', import.meta.url)

/** The real command with a meter in its process. */
export async function startWatched({
  config = {},
  acl,
  imports = [],
}: WatchedOptions = {}): Promise<WatchedServer> {
  const modules = [METER, ...imports].map((url) => `--import=${fileURLToPath(url)}`)
  const running = await startServer({
    config: JSON.stringify({
      ...config,
      server: { bind: '127.0.0.1', port: 0, ...config['server'] },
      clients: { payloaders: ['127.0.0.1'], ...config['clients'] },
    }),
    ...(acl === undefined ? {} : { acl: JSON.stringify(acl) }),
    // With all the flags it wants it does not begin itself anew, so that it keeps the channel to us.
    nodeFlags: ['--expose-gc', ...FLAGS, ...modules],
  })
  const { process: child } = running
  const gone = once(child, 'close').then(() => {
    throw new Error(`the server is gone:\n${running.output().slice(-4_000)}`)
  })
  gone.catch(() => {}) // told to whoever asks
  const ask = async <Report>(question: Question): Promise<Report> => {
    if (!child.connected) await gone
    const answered = once(child, 'message')
    child.send(question, () => {}) // that it cannot be sent is told by `gone`
    const [report] = await Promise.race([answered, gone])
    return report as Report
  }
  return {
    ...running,
    turns: () => ask<TurnReport>('turns'),
    async rest() {
      const { heapBytes, handles } = await ask<RestReport>('rest')
      await ask('turns') // the collection is nobody's turn
      return { heapBytes, handles, fileDescriptors: fileDescriptorsOf(child.pid!) }
    },
  }
}

function fileDescriptorsOf(pid: number): number | null {
  const directory = `/proc/${pid}/fd`
  return existsSync(directory) ? readdirSync(directory).length : null
}

/** Waits until it holds no more than before, but for so many bytes of heap. @returns what is too much. */
export async function leftBehind(
  server: WatchedServer,
  before: Rest,
  { heapBytesMax, withinMs }: { readonly heapBytesMax: number; readonly withinMs: number },
): Promise<readonly string[]> {
  const deadlineMs = performance.now() + withinMs
  for (;;) {
    const left = differences(before, await server.rest(), heapBytesMax)
    if (left.length === 0 || performance.now() > deadlineMs) return left
    await pause(50)
  }
}

function differences(before: Rest, after: Rest, heapBytesMax: number): string[] {
  const left: string[] = []
  const grownBytes = after.heapBytes - before.heapBytes
  if (grownBytes > heapBytesMax)
    left.push(`${mebibytes(grownBytes)} of heap, more than the ${mebibytes(heapBytesMax)} allowed`)
  for (const [kind, count] of Object.entries(after.handles)) {
    const more = count - (before.handles[kind] ?? 0)
    if (more > 0) left.push(`${more} more of ${kind}`)
  }
  const descriptors = (after.fileDescriptors ?? 0) - (before.fileDescriptors ?? 0)
  if (descriptors > 0) left.push(`${descriptors} file descriptors`)
  return left
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`
}
