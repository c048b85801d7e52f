import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'
import { beginWork } from '../../src/ops/current-work.ts'
import { TURN_MS_MAX, Watchdog } from '../../src/ops/watchdog.ts'
import { startServer } from '../running-server.ts'
import { RawClient } from '../http/raw-client.ts'

/** Runs until this thread has had so much CPU. */
function runFor(ms: number): void {
  const since = process.threadCpuUsage()
  for (;;) {
    const { user, system } = process.threadCpuUsage(since)
    if (user + system > ms * 1_000) return
  }
}

/** Waits in the kernel, as for a disk. */
function waitFor(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

/** What is logged while `act` runs in a turn of its own. */
async function logged(act: () => void): Promise<string[]> {
  const lines: string[] = []
  using _watchdog = new Watchdog((level, message) => void lines.push(`${level} ${message}`), {
    heldUpMsMax: TURN_MS_MAX,
  })
  await turn()
  await turn()
  act()
  await turn()
  await turn()
  return lines
}

test('a turn that takes too much CPU is told once, with both figures and the longest of what was done', async () => {
  const lines = await logged(() => {
    beginWork('request', 'GET /short')
    runFor(10)
    beginWork('fan-out of events:', 12)
    runFor(TURN_MS_MAX + 50)
    beginWork('request', 'GET /other')
  })
  assert.equal(lines.length, 1, lines.join('\n'))
  assert.match(
    lines[0]!,
    /^warn nobody was served for \d{3,} ms: one turn took \d{3,} ms of CPU; the longest part of it: fan-out of events: 12, \d{3,} ms$/,
  )
})

test('a turn in which the thread did not run is not told as ours', async () => {
  const lines = await logged(() => waitFor(TURN_MS_MAX + 50))
  assert.match(
    lines.join('\n'),
    /^info nobody was served for \d{3,} ms, of which this process ran for \d{1,3} ms only: the machine was busy, [^\n]+ disk$/,
  )
})

test('waiting for something to do is no turn, nor are several short ones', async () => {
  const lines: string[] = []
  using _watchdog = new Watchdog((level, message) => void lines.push(`${level} ${message}`))
  await pause(TURN_MS_MAX + 50)
  for (let i = 0; i < 10; i++) {
    runFor(TURN_MS_MAX / 8)
    await turn()
  }
  assert.deepEqual(
    lines.filter((line) => line.startsWith('warn')),
    [],
  )
})

test('a turn that took long is told for what was done in it, and not for what was done before', async () => {
  await logged(() => beginWork('request', 'GET /before'))
  const lines = await logged(() => runFor(TURN_MS_MAX + 50))
  assert.doesNotMatch(lines.join('\n'), /before/)
})

test('a log stays short: turns that take long are told again after a minute only', async () => {
  const lines: string[] = []
  using _watchdog = new Watchdog((level, message) => void lines.push(`${level} ${message}`))
  for (let i = 0; i < 3; i++) {
    await turn()
    runFor(TURN_MS_MAX + 20)
    await turn()
  }
  assert.equal(lines.filter((line) => line.startsWith('warn')).length, 1)
})

test('the server watches itself, and shows the request shortened and escaped', async () => {
  await using server = await startServer({
    config: 'server: {bind: 127.0.0.1, port: 0}\nclients: {payloaders: [127.0.0.1]}',
    nodeFlags: [`--import=${new URL('../hostile/planted-faults.ts', import.meta.url).href}`],
  })
  await using client = await RawClient.open(server.port)
  const path = `/fruits/%1b[31m${'a'.repeat(1_000)}`
  await client.ask(`HEAD http://user:secret@pubsub.test${path} HTTP/1.1\r\nX-Planted: run\r\n\r\n`)
  const [line] = await server.printed(/warn nobody was served.*\n/)
  assert.match(line, /one turn took \d+ ms of CPU; the longest part of it: request HEAD \/fruits/)
  assert.match(line, /a… \(1\d{3} characters\), \d+ ms\n$/)
  assert.ok(!server.output().includes('secret'))
})
