import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { EXCLUDED } from './exclusions.ts'
import { requestText, sendBytes } from './http-input.ts'
import {
  leftBehind,
  startWatched,
  type Rest,
  type WatchedOptions,
  type WatchedServer,
} from './watched-server.ts'

/** CPU that one turn of the event loop may take, in ms. What is promised is 20; this leaves room for a collection of garbage. */
const TURN_MS_MAX = 100

/** One kind of input. */
export interface HostileCase<Input = never> {
  /** As in "headers: X-Fetch-Since". */
  readonly name: string
  /** What may come: grammar-based, up to the full permitted length, odd in every way. See `oddText`. */
  readonly inputs: fc.Arbitrary<Input>
  /** Inputs that are always tried: those that were found, or are known elsewhere. */
  readonly examples?: readonly Input[]
  /**
   * Sends it and waits for whatever comes of it, be it an answer, a refusal or a closed connection; then closes all that
   * it has opened. What the server does in the meantime is measured.
   */
  readonly send: (server: WatchedServer, input: Input) => Promise<void>
  /** How many of them, where `npm test` cannot afford the usual number. */
  readonly runs?: number
}

export interface HostileOptions extends WatchedOptions {
  /** What may be left after all have gone, in bytes. Raise it only for what is bounded, such as the newest events. */
  readonly heapBytesMax?: number
}

/** Inputs of each case that `npm test` tries. `PUBSUBD_HOSTILE_RUNS` says how many times as many it shall be. */
const RUNS = 60

/** What a hundred times as many left behind when nothing leaked: compiled code, and what is learnt of shapes. */
const HEAP_BYTES_MAX = 4_194_304

/** How long a server may take to give back what it held, in ms: some of it goes with a timer. */
const GIVING_BACK_MS = 10_000

/**
 * A turn that took longer, in ms, is its input's doing. Below that it may have been a compilation, or a collection of garbage on
 * a machine whose caches others use: then the least counts of what the same input takes again. So a cost below that which
 * comes once only, because its result is kept, goes unnoticed.
 */
const CERTAIN_MS = 300
const REPEATS = 2

/** For the usual number of inputs: shrinking one that takes seconds takes many of them. */
const CASE_MS_MAX = 120_000

/** The same inputs each time, unless `PUBSUBD_HOSTILE_SEED` names others or says `random`. */
const SEED = 20_261_130

/** Any case, whatever its inputs are. */
// eslint-disable-next-line typescript/no-explicit-any -- each `send` takes what its own `inputs` make
type AnyCase = HostileCase<any>

/** A server, and a test for each case that it stands all of its inputs; then one that nothing of them is left. */
export function hostileGroup(
  name: string,
  options: HostileOptions,
  cases: readonly AnyCase[],
): void {
  test(`${name}: no input takes a turn of more than ${TURN_MS_MAX} ms, nor leaves anything behind`, async (t) => {
    const played = cases.filter((each) => !(each.name in EXCLUDED))
    await using group = await HostileGroup.start(options, played)
    for (const each of cases)
      await t.test(each.name, { skip: EXCLUDED[each.name] ?? false }, async (caseTest) =>
        caseTest.diagnostic(await group.play(each)),
      )
    await t.test('nothing is left of them', () => group.nothingIsLeft())
  })
}

/** The group's server, with what it held before anything hostile came. */
export class HostileGroup implements AsyncDisposable {
  readonly #server: WatchedServer
  readonly #before: Rest
  readonly #heapBytesMax: number
  readonly #seed: number

  private constructor(server: WatchedServer, before: Rest, heapBytesMax: number, seed: number) {
    this.#server = server
    this.#before = before
    this.#heapBytesMax = heapBytesMax
    this.#seed = seed
  }

  static async start(options: HostileOptions, cases: readonly AnyCase[]): Promise<HostileGroup> {
    const seed = seedOfRun()
    const server = await startWatched(options)
    try {
      await warmUp(server, cases, seed)
      const before = await server.rest()
      return new HostileGroup(server, before, options.heapBytesMax ?? HEAP_BYTES_MAX, seed)
    } catch (error) {
      await server[Symbol.asyncDispose]()
      throw error
    }
  }

  /** @throws {AssertionError} naming the case and its input. @returns what its dearest input was. */
  async play(hostileCase: AnyCase): Promise<string> {
    const times = Number(process.env['PUBSUBD_HOSTILE_RUNS'] ?? 1)
    const runs = Math.ceil((hostileCase.runs ?? RUNS) * times)
    const { ms, input } = await playCase(this.#server, hostileCase, this.#seed, runs)
    return `at most ${ms.toFixed(1)} ms for ${shown(input)}, seed ${this.#seed}`
  }

  /** @throws {AssertionError} saying what. */
  async nothingIsLeft(withinMs = GIVING_BACK_MS): Promise<void> {
    const left = await leftBehind(this.#server, this.#before, {
      heapBytesMax: this.#heapBytesMax,
      withinMs,
    })
    assert.deepEqual(left, [], `left behind (seed ${this.#seed})`)
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#server[Symbol.asyncDispose]()
  }
}

function seedOfRun(): number {
  const text = process.env['PUBSUBD_HOSTILE_SEED'] ?? String(SEED)
  return text === 'random' ? Math.floor(Math.random() * 0x7fff_ffff) : Number(text)
}

/** Code that runs for the first time is slow, and what is compiled stays. Nothing is measured here. */
async function warmUp(server: WatchedServer, cases: readonly AnyCase[], seed: number) {
  for (let i = 0; i < WARM_UP_RUNS; i++)
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT']) {
      const lines = method === 'PUT' ? ['Content-Length: 7'] : []
      await sendBytes(server, requestText(method, '/warm/up?count=1', lines), '{"n":1}')
    }
  for (const { inputs, send } of cases)
    for (const input of fc.sample(inputs, { seed: seed + 1, numRuns: WARM_UP_RUNS }))
      await send(server, input)
}

const WARM_UP_RUNS = 5

/** @throws {AssertionError} naming the input. @returns the dearest one. */
async function playCase(
  server: WatchedServer,
  { name, inputs, examples = [], send }: AnyCase,
  seed: number,
  runs: number,
): Promise<{ readonly ms: number; readonly input: unknown }> {
  let worst: { readonly ms: number; readonly input: unknown } = { ms: 0, input: null }
  const msMax = CASE_MS_MAX * Math.max(1, runs / RUNS)
  const property = fc.asyncProperty(inputs, async (input) => {
    await send(server, input)
    let { worstMs, delayMs } = await server.turns()
    for (let i = 0; i < REPEATS && worstMs > TURN_MS_MAX && worstMs < CERTAIN_MS; i++) {
      await send(server, input)
      const again = await server.turns()
      if (again.worstMs < worstMs) ({ worstMs, delayMs } = again)
    }
    if (worstMs > worst.ms) worst = { ms: worstMs, input }
    if (worstMs > TURN_MS_MAX) throw new SlowTurn(worstMs, delayMs)
  })
  const result = await fc.check(property, {
    seed,
    numRuns: runs + examples.length,
    examples: examples.map((input) => [input]),
    interruptAfterTimeLimit: msMax,
  })
  if (result.failed && result.counterexample !== null) {
    const { errorInstance, counterexample, numShrinks } = result
    const what = errorInstance instanceof Error ? errorInstance : new Error(String(errorInstance))
    assert.fail(
      `${name}: ${what.message}\n  input: ${shown(counterexample[0])}\n` +
        `  seed ${seed}, shrunk ${numShrinks} times` +
        (what instanceof SlowTurn ? '' : `\n${what.stack}`),
    )
  }
  assert.equal(result.failed, false, `${name}: ended after ${msMax} ms (seed ${seed})`)
  return worst
}

class SlowTurn extends Error {
  constructor(cpuMs: number, delayMs: number) {
    super(
      `one turn took ${cpuMs.toFixed(1)} ms of CPU (${delayMs.toFixed(0)} ms by the clock), ` +
        `more than ${TURN_MS_MAX}`,
    )
  }
}

/** In print: without anything that moves a terminal's cursor, and not as long as it is. */
function shown(input: unknown): string {
  const text = JSON.stringify(input) ?? String(input)
  const ascii = text.replaceAll(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return ascii.length <= SHOWN_MAX ? ascii : `${ascii.slice(0, SHOWN_MAX)}… (${ascii.length})`
}

const SHOWN_MAX = 1_500
