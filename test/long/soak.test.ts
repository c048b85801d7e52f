import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startServer, type RunningServer } from '../running-server.ts'
import { portionOf } from './portion.ts'

/** How long, in s. */
const DURATION_S = portionOf(2 * 3_600)

/** Old events go meanwhile: there are more. */
const EVENTS_KEPT = 20_000

const CONFIG = `
server: {bind: 127.0.0.1, port: 0, backlog: {size: ${EVENTS_KEPT}, storage: log}}
clients: {payloaders: [127.0.0.1]}
`

/** Streams that come and go at the same time, each with events of its own topic between those of all. */
const VISITORS = 50

/** A visitor stays for so many events. */
const STAY = 20

/** What may be more at the end than after the first quarter: some is not given back at once. */
const GROWTH_MAX = 1.25

test(`for ${DURATION_S} s nobody misses anything while streams come and go, and memory and descriptors stay as they are`, async () => {
  await using server = await startServer({ config: CONFIG })
  const endMs = performance.now() + DURATION_S * 1_000
  const isOver = () => performance.now() > endMs
  const samples: { readonly rssKb: number; readonly descriptors: number }[] = []
  const watching = (async () => {
    while (!isOver()) {
      await sleep(Math.min(10_000, DURATION_S * 50))
      samples.push(usageOf(server))
    }
  })()
  const follower = new Follower(server)
  const following = follower.run()
  const visits = Promise.all(Array.from({ length: VISITORS }, () => visit(server, isOver)))
  let count = 0
  while (!isOver()) {
    await publish(server, `/soak/${count % 7}`, { n: count++, text: 'x'.repeat(count % 1_000) })
    if (count % 100 === 0) await sleep(100)
  }
  await publish(server, '/soak/end', { n: count++ })
  await Promise.all([following, visits, watching])

  assert.equal(follower.seen, count)
  const early = median(samples.slice(0, Math.ceil(samples.length / 4)).map(({ rssKb }) => rssKb))
  const late = median(samples.slice(-Math.ceil(samples.length / 4)).map(({ rssKb }) => rssKb))
  const descriptors = samples.map((sample) => sample.descriptors)
  console.log(
    `${count} events, ${DURATION_S} s, memory ${early} KiB then ${late} KiB, ` +
      `at most ${Math.max(...descriptors)} descriptors`,
  )
  assert.ok(late <= early * GROWTH_MAX, `${early} KiB became ${late} KiB`)
  assert.ok(Math.max(...descriptors) < 4 * VISITORS)
  assert.doesNotMatch(server.output(), / (error|fatal) /)
})

/** Sees every event once, in order: it fails at the first that is not the next. */
class Follower {
  seen = 0
  readonly #server: RunningServer

  constructor(server: RunningServer) {
    this.#server = server
  }

  async run(): Promise<void> {
    for await (const { n, pubsub_topics: topics } of eventsOf(this.#server, '/soak?since=all')) {
      assert.equal(n, this.seen++)
      if (topics.includes('end')) return
    }
    assert.fail('the stream ended')
  }
}

/** Comes, sees some events in order, and goes; then goes on behind the last one, again and again. */
async function visit(server: RunningServer, isOver: () => boolean): Promise<void> {
  let last = -1
  let place = 'since=all'
  while (!isOver()) {
    const query = `${place}&count=${STAY}&timeout=5&where=${encodeURIComponent('n % 2 == 0')}`
    for await (const { n, pubsub_cursor: cursor } of eventsOf(server, `/soak/3?${query}`)) {
      assert.ok(n > last && n % 2 === 0, `${n} after ${last}`)
      last = n
      place = `cursor=${cursor}`
    }
  }
}

interface SoakEvent {
  readonly n: number
  readonly pubsub_topics: readonly string[]
  readonly pubsub_cursor: string
}

async function* eventsOf(server: RunningServer, target: string): AsyncGenerator<SoakEvent> {
  const { body } = await fetch(server.url + target, { headers: { Accept: 'application/x-ndjson' } })
  let unread = ''
  for await (const text of body!.pipeThrough(new TextDecoderStream())) {
    const lines = (unread + text).split('\n')
    unread = lines.pop()!
    for (const line of lines) if (line.includes('"pubsub_topics"')) yield JSON.parse(line)
  }
}

async function publish(server: RunningServer, path: string, payload: object): Promise<void> {
  const body = JSON.stringify(payload)
  const { status } = await fetch(server.url + path, { method: 'PUT', body })
  assert.equal(status, 202)
}

function usageOf({ process: { pid } }: RunningServer) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return {
    rssKb: Number(/VmRSS:\s+(\d+)/.exec(status)![1]),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
  }
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!
}
