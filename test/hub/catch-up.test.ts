import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Audience } from '../../src/hub/audience.ts'
import { throwLater } from '../../src/hub/bug.ts'
import { CatchUp, type DuePage, type LogReader } from '../../src/hub/catch-up.ts'
import type { CloseReason } from '../../src/hub/encoding.ts'
import type { Cursor, Position, PublishedEvent } from '../../src/hub/event.ts'
import type { EventLog, Page } from '../../src/hub/event-log.ts'
import { testAudience } from './test-audience.ts'

interface Trait {
  readonly after: number
  readonly wantsParts: boolean
  readonly share: string | undefined
  readonly clock: Clock
}

/** A reader that asks for one page after the other, and keeps them. */
class Reader implements LogReader {
  readonly audience: Audience
  readonly wantsParts: boolean
  readonly share: string | undefined
  protected readonly clock: Clock | undefined
  readonly pages: DuePage[] = []
  readonly failures: string[] = []
  turns = 0
  ended: CloseReason | null = null
  readonly #catchUp: CatchUp
  #after: Position

  constructor(
    catchUp: CatchUp,
    audience: Audience,
    { after = 0, wantsParts = false, share, clock }: Partial<Trait> = {},
  ) {
    this.clock = clock
    this.#catchUp = catchUp
    this.share = share
    this.audience = audience
    this.wantsParts = wantsParts
    this.#after = after as Position
  }

  advance(): void {
    this.turns++
    const page = this.#catchUp.page(this, this.#after)
    if (page === null) return
    this.pages.push(page)
    this.#after = page.reached
  }

  protected askAgain(): void {
    this.#catchUp.enqueue(this)
  }

  get isBehind(): boolean {
    return this.ended === null
  }

  fail(doing: string, error: unknown): void {
    this.failures.push(`${doing}: ${String(error)}`)
    this.end('internal')
  }

  end(reason: CloseReason): void {
    this.ended = reason
  }
}

/** One that goes on with the next page, and takes a whole slice for each. */
class EagerReader extends Reader {
  override advance(): void {
    const before = this.pages.length
    super.advance()
    this.clock!.nowMs += 2
    if (this.pages.length > before && !this.clock!.isStopped) this.askAgain()
  }
}

test('readers of one audience at one place share a page, which is read and encoded once', async () => {
  const log = new PagesLog()
  const catchUp = new CatchUp(log.port, () => log.port.head, throwLater)
  const audience = testAudience()
  const readers = Array.from({ length: 20 }, () => new Reader(catchUp, audience))
  for (const reader of readers) catchUp.enqueue(reader)
  await settled(() => readers.every(({ pages }) => pages.length === 1))
  assert.deepEqual(log.readAfter, [0])
  for (const { pages } of readers) assert.equal(pages[0], readers[0]!.pages[0])
  assert.equal(Buffer.from(readers[0]!.pages[0]!.bytes).toString(), '/1 \n')
})

test('who may end within a page gets it in parts, and shares it with no other', async () => {
  const log = new PagesLog()
  const catchUp = new CatchUp(log.port, () => log.port.head, throwLater)
  const audience = testAudience()
  const [whole, parted] = [
    new Reader(catchUp, audience),
    new Reader(catchUp, audience, { wantsParts: true }),
  ]
  for (const reader of [whole, parted]) catchUp.enqueue(reader)
  await settled(() => whole.pages.length === 1 && parted.pages.length === 1)
  assert.equal(whole.pages[0]!.parts, null)
  const { parts, bytes } = parted.pages[0]!
  assert.equal(bytes.length, 0)
  assert.deepEqual(Buffer.concat(parts!.frames), Buffer.from(whole.pages[0]!.bytes))
  assert.equal(parts!.events.length, 1)
})

test('at most two pages are read at once, and everybody comes to one', async () => {
  const log = new PagesLog({ isHeld: true })
  const catchUp = new CatchUp(log.port, () => log.port.head, throwLater)
  const readers = Array.from({ length: 10 }, (_, n) => new Reader(catchUp, testAudience({ id: n })))
  for (const reader of readers) catchUp.enqueue(reader)
  for (let n = 0; n < 20; n++) await turn()
  assert.equal(log.readAfter.length, 2)
  while (readers.some(({ pages }) => pages.length === 0)) {
    assert.ok(log.held.length <= 2)
    log.held.shift()?.()
    await turn()
  }
})

for (const [crowd, audienceOf] of [
  ['who all read for themselves', (n: number) => testAudience({ id: n })],
  ['at one place', () => SHARED],
] as const)
  test(`a reader of another share than a crowd's comes to its page after a few of them: ${crowd}`, async () => {
    const clock = new Clock()
    try {
      const log = new PagesLog()
      const catchUp = new CatchUp(log.port, () => log.port.head, throwLater)
      const many = Array.from(
        { length: 1_000 },
        (_, n) => new EagerReader(catchUp, audienceOf(n), { share: 'a', clock }),
      )
      for (const reader of many) catchUp.enqueue(reader)
      await settled(() => many.some(({ pages }) => pages.length > 0))
      const servedBefore = servedOf(many)
      const traits = { share: 'b', after: 50, clock }
      const one = new EagerReader(catchUp, testAudience({ id: 2_000 }), traits)
      catchUp.enqueue(one)
      await settled(() => one.pages.length >= 5)
      assert.ok(servedOf(many) - servedBefore < 60, `${servedOf(many) - servedBefore}`)
    } finally {
      clock.stop()
    }
  })

function servedOf(readers: readonly Reader[]): number {
  return readers.reduce((sum, { pages }) => sum + pages.length, 0)
}

const SHARED = testAudience({ id: 3_000 })

test('a page that cannot be read ends those who wait for it, and nobody else', async () => {
  const log = new PagesLog({ failsAfter: 5 })
  const catchUp = new CatchUp(log.port, () => log.port.head, throwLater)
  const audience = testAudience()
  const lost = [1, 2].map(() => new Reader(catchUp, audience, { after: 5 }))
  const fine = new Reader(catchUp, audience)
  for (const reader of [...lost, fine]) catchUp.enqueue(reader)
  await settled(() => fine.pages.length === 1 && lost.every(({ ended }) => ended !== null))
  assert.deepEqual(
    lost.map(({ ended }) => ended),
    ['unavailable', 'unavailable'],
  )
  assert.equal(fine.ended, null)
})

test('a page is kept for those who come within a second, and read anew for later ones', async () => {
  const clock = new Clock()
  try {
    const log = new PagesLog()
    const catchUp = new CatchUp(log.port, () => log.port.head, throwLater)
    const audience = testAudience()
    const read = async (): Promise<void> => {
      const reader = new Reader(catchUp, audience)
      catchUp.enqueue(reader)
      await settled(() => reader.pages.length === 1)
    }
    await read()
    clock.nowMs += 999
    await read()
    assert.equal(log.readAfter.length, 1)
    clock.nowMs += 2
    await read()
    assert.equal(log.readAfter.length, 2)
  } finally {
    clock.stop()
  }
})

test('in one turn of the event loop the crowd gets its slice and no more', async () => {
  const clock = new Clock()
  try {
    const { port } = new PagesLog()
    const catchUp = new CatchUp(port, () => port.head, throwLater)
    let advanced = 0
    const slow = {
      audience: testAudience(),
      share: undefined,
      wantsParts: false,
      isBehind: true,
      advance() {
        advanced++
        clock.nowMs += 0.4
      },
      fail() {},
      end() {},
    }
    for (let n = 0; n < 60; n++) catchUp.enqueue(slow)
    const inTurns: number[] = []
    for (let before = 0; before < 60; before = advanced) {
      await turn()
      inTurns.push(advanced - before)
    }
    assert.ok(Math.max(...inTurns) <= 3, inTurns.join())
  } finally {
    clock.stop()
  }
})

test('while a publication is under way readers wait for its end, and for 5 ms at most', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const { port } = new PagesLog()
    const catchUp = new CatchUp(port, () => port.head, throwLater)
    const reader = new Reader(catchUp, testAudience())
    const publications = [catchUp.yieldToPublication(), catchUp.yieldToPublication()]
    catchUp.enqueue(reader)
    for (let n = 0; n < 5; n++) await turn()
    assert.equal(reader.turns, 0)
    publications[0]![Symbol.dispose]()
    for (let n = 0; n < 5; n++) await turn()
    assert.equal(reader.turns, 0)
    publications[1]![Symbol.dispose]()
    await settled(() => reader.pages.length > 0)
    for (let n = 0; n < 5; n++) await turn()

    const later = new Reader(catchUp, testAudience({ id: 2 }))
    using _third = catchUp.yieldToPublication()
    catchUp.enqueue(later)
    mock.timers.tick(4)
    for (let n = 0; n < 5; n++) await turn()
    assert.equal(later.turns, 0)
    mock.timers.tick(1)
    await settled(() => later.turns > 0)
  } finally {
    mock.timers.reset()
  }
})

/** A log of 100 events, each of them a page of its own. */
class PagesLog {
  readonly readAfter: number[] = []
  readonly held: (() => void)[] = []
  readonly #isHeld: boolean
  readonly #failsAfter: number

  constructor({ isHeld = false, failsAfter = -1 } = {}) {
    this.#isHeld = isHeld
    this.#failsAfter = failsAfter
  }

  get port(): EventLog {
    return { head: 100, read: (after: Position) => this.#read(after) } as unknown as EventLog
  }

  async *#read(after: Position): AsyncGenerator<Page> {
    this.readAfter.push(after)
    if (this.#isHeld) await new Promise<void>((resolve) => void this.held.push(resolve))
    if (after === this.#failsAfter) throw new Error('the disk is gone')
    const reached = (after + 1) as Position
    yield { events: [eventAt(reached)], reached, gap: null }
  }
}

/** Stands still until it is moved. */
class Clock {
  nowMs = 1_000
  isStopped = false
  readonly #method = mock.method(performance, 'now', () => this.nowMs)

  stop(): void {
    this.isStopped = true
    this.#method.mock.restore()
  }
}

async function settled(isDone: () => boolean): Promise<void> {
  for (let turns = 0; !isDone(); turns++) {
    assert.ok(turns < 1_000, 'it does not come')
    await turn()
  }
}

function eventAt(position: Position): PublishedEvent {
  return {
    position,
    cursor: `${position}` as Cursor,
    publishedAtMs: position,
    topics: [],
    isPrivate: false,
    path: `/${position}`,
    payload: { type: 'json-object', text: '' },
  }
}
