import { setTimeout as passing } from 'node:timers/promises'
import { BreakableServer } from './breakable-server.ts'
import { check, type Fault, type History, type ReaderRecord, type StreamLine } from './checker.ts'
import { Publisher, TOPICS_OF_THE_END } from './publisher.ts'
import { Random } from './random.ts'
import { Reader, readLog, replay, type ReaderOptions } from './reader.ts'

export interface CrashRunOptions {
  /** How often the server is killed with SIGKILL. The rest happens in between. */
  readonly kills: number
  readonly seed: number
  /** `null`: events in memory only, so that the checker has something to find. */
  readonly storage: 'disk' | 'os' | null
  /** No new breakage begins after this. */
  readonly durationMsMax: number
  readonly onProgress?: (progress: { kills: number; events: number }) => void
}

export interface CrashRunResult {
  readonly faults: readonly Fault[]
  readonly durationMs: number
  /** How often each thing was done to the server. */
  readonly breakages: Readonly<Record<Breakage, number>>
  readonly kills: number
  readonly history: History
  readonly startsMs: readonly number[]
  /** Told although everything is kept. */
  readonly gapsTold: number
  /** Streams the server ended although it did not stop. */
  readonly cutOffs: number
}

/** What is done to the server, and how often in relation to the others. */
const WEIGHTS = {
  'kill -9': 12,
  'kill -9 upon a 202': 4,
  'kill -9 upon an event shown': 4,
  'kill -9 during a replay': 3,
  'kill -9 during the start': 3,
  'kill -9 while frozen': 1,
  'kill -9 while stopping': 1,
  'SIGSTOP, SIGCONT': 4,
  'SIGTERM and start': 3,
} as const

export type Breakage = keyof typeof WEIGHTS

/** Publishes, reads and breaks the server, until the kills are done; then judges what everybody saw. */
export async function crashRun(options: CrashRunOptions): Promise<CrashRunResult> {
  await using server = await BreakableServer.create(options)
  const run = new CrashRun(server, options)
  return await Promise.race([run.result(), server.failed])
}

/** Lines that one replay which is to be cut off reads before the kill, at most. */
const REPLAY_LINES_MAX = 3_000

/** After the last event, for all readers to have caught up, in ms. */
const CATCH_UP_MS = 120_000

class CrashRun {
  readonly #server: BreakableServer
  readonly #options: CrashRunOptions
  readonly #random: Random
  readonly #publishers: readonly Publisher[]
  readonly #readers: readonly Reader[]
  readonly #replays: ReaderRecord[] = []
  readonly #breakages = Object.fromEntries(Object.keys(WEIGHTS).map((name) => [name, 0])) as Record<
    Breakage,
    number
  >
  #kills = 0
  #lastNumber = 0

  constructor(server: BreakableServer, options: CrashRunOptions) {
    this.#server = server
    this.#options = options
    this.#random = new Random(options.seed)
    this.#publishers = PAUSES_MS.map((pauseMs, index) => {
      const random = this.#random.fork()
      const nextNumber = () => ++this.#lastNumber
      return new Publisher({ name: `publisher ${index}`, server, random, nextNumber, pauseMs })
    })
    this.#readers = [
      { name: 'everything', path: '/', returns: 'after last event' },
      { name: 'one topic', path: '/red', returns: 'after last event' },
      { name: 'two alternatives', path: '/red,blue', returns: 'after last event' },
      { name: 'believes farewells', path: '/crash/green', returns: 'at farewell' },
      { name: 'rare topic, all over again', path: '/rare', returns: 'from start' },
      { name: 'slow', path: '/', returns: 'after last event', restMs: 100 },
    ].map((each) => new Reader({ ...each, server } as ReaderOptions))
  }

  async result(): Promise<CrashRunResult> {
    const startedMs = performance.now()
    await this.#server.start()
    const publishing = Promise.all(this.#publishers.map((publisher) => publisher.run()))
    const reading = Promise.all(this.#readers.map((reader) => reader.run()))
    const breaking = this.#break(startedMs + this.#options.durationMsMax)
    await Promise.race([breaking, failureOf(publishing), failureOf(reading)])
    for (const publisher of this.#publishers) publisher.stop()
    await publishing
    await this.#letReadersFinish(reading)

    // What the log holds is what it still holds after a start.
    await this.#server.end('SIGTERM')
    await this.#server.start()
    const log = await readLog(this.#server.port)
    for (const publisher of this.#publishers) publisher.close()

    const readers = [...this.#readers, ...this.#replays]
    const history = { publishers: this.#publishers, readers, log }
    return {
      faults: check(history),
      durationMs: performance.now() - startedMs,
      breakages: this.#breakages,
      kills: this.#kills,
      history,
      startsMs: this.#server.startsMs,
      gapsTold: sum(this.#readers.map(({ gapsTold }) => gapsTold)),
      cutOffs: sum(this.#readers.map(({ cutOffs }) => cutOffs)),
    }
  }

  async #break(deadlineMs: number): Promise<void> {
    while (this.#kills < this.#options.kills && performance.now() < deadlineMs) {
      await this.#traffic()
      const breakage = this.#random.pick(WEIGHTS)
      this.#breakages[breakage]++
      await this.#do(breakage)
      this.#options.onProgress?.({ kills: this.#kills, events: this.#lastNumber })
    }
    await this.#traffic()
  }

  /** The moment of a breakage is meant to be any moment. */
  async #traffic(): Promise<void> {
    await passing(this.#random.between(5, 800))
  }

  async #do(breakage: Breakage): Promise<void> {
    switch (breakage) {
      case 'kill -9':
        return this.#killAndStart()
      // An answer or an event that comes too soon is found out by a kill that leaves the store no time to follow.
      case 'kill -9 upon a 202': {
        const publisher = this.#publishers[0]!
        await new Promise<void>((resolve) => (publisher.onAccepted = resolve))
        return this.#killAndStart()
      }
      case 'kill -9 upon an event shown': {
        const reader = this.#readers[0]!
        await new Promise<void>((resolve) => (reader.onShown = resolve))
        return this.#killAndStart()
      }
      case 'kill -9 during a replay':
        await this.#untilMidReplay()
        return this.#killAndStart()
      case 'kill -9 during the start': {
        await this.#server.end(this.#random.chance(0.5) ? 'SIGKILL' : 'SIGTERM')
        this.#server.begin()
        const usualMs = this.#server.startsMs.at(-1)!
        await passing(usualMs * (0.3 + 0.7 * this.#random.fraction()))
        return this.#killAndStart()
      }
      case 'kill -9 while frozen':
        this.#server.freeze()
        await passing(this.#random.between(10, 500))
        return this.#killAndStart()
      case 'kill -9 while stopping':
        this.#server.signalEnd('SIGTERM')
        await passing(this.#random.between(0, 40))
        return this.#killAndStart()
      case 'SIGSTOP, SIGCONT':
        this.#server.freeze()
        await passing(this.#random.between(10, 1_500))
        return this.#server.thaw()
      case 'SIGTERM and start':
        await this.#server.end('SIGTERM')
        return this.#server.start()
    }
  }

  async #killAndStart(): Promise<void> {
    this.#kills++
    await this.#server.end('SIGKILL')
    await this.#server.start()
  }

  /** Some replays begin, and one of them has shown so many lines. What they saw until then is judged too. */
  async #untilMidReplay(): Promise<void> {
    const linesWanted = this.#random.between(1, Math.min(REPLAY_LINES_MAX, this.#lastNumber))
    const replays = Array.from({ length: this.#random.between(1, 6) }, () => {
      const lines: StreamLine[] = []
      this.#replays.push({
        name: `replay ${this.#replays.length}`,
        wants: [[]],
        streams: [{ from: 'start', lines, isComplete: false }],
      })
      return replay(this.#server.port, '/', (line) => {
        if (line.type === 'event')
          lines.push({ type: 'event', number: line.number, cursor: line.cursor })
        else if (line.type === 'gap') lines.push({ type: 'gap' })
        return lines.length < linesWanted
      })
    })
    await Promise.race(replays)
  }

  async #letReadersFinish(reading: Promise<unknown>): Promise<void> {
    for (const reader of this.#readers) reader.end(this.#lastNumber + 1)
    const { type } = await this.#publishers[0]!.publish(TOPICS_OF_THE_END)
    if (type !== 'accepted') throw new Error(`the last publication is ${type}`)
    const deadline = Promise.withResolvers<void>()
    const timer = setTimeout(deadline.resolve, CATCH_UP_MS)
    await Promise.race([reading, deadline.promise])
    clearTimeout(timer)
    for (const reader of this.#readers) reader.giveUp()
  }
}

/** Of each publisher; some publish as fast as they are answered. */
const PAUSES_MS = [0, 0, 2, 5, 10, 20, 50, 100]

/** Rejects as the promise does, and else says nothing. */
function failureOf(promise: Promise<unknown>): Promise<never> {
  return promise.then(() => new Promise<never>(() => {}))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
