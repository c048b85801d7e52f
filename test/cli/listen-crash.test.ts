import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { DEADLINE_MS } from '../deadline.ts'
import { BreakableServer } from '../crash/breakable-server.ts'
import { Command } from './command.ts'
import { publishedAt } from './pubsub-server.ts'

const EVENTS = 120

/** Handled events upon which listener, server, or both are killed. */
const KILLS = [
  { at: 5, victims: ['listener'] },
  { at: 17, victims: ['server'] },
  { at: 30, victims: ['server', 'listener'] },
  { at: 41, victims: ['listener'] },
  { at: 55, victims: ['listener', 'server'] },
  { at: 70, victims: ['server'] },
  { at: 84, victims: ['listener'] },
  { at: 99, victims: ['server', 'listener'] },
] as const

test('kill -9 of listener and server, again and again, costs no event', async () => {
  await using server = await BreakableServer.create({ storage: 'disk' })
  await server.start()
  const url = `http://127.0.0.1:${server.port}/numbers`
  await using commands = new AsyncDisposableStack()
  const start = (words: readonly string[], options: { in?: string; input?: string } = {}) =>
    commands.use(new Command({}, words, options))
  const words = ['listen', url, '--checkpoint', 'c', '--jobs', '2', '--exec', 'cat >> out']

  let listener = start(words)
  const home = listener
  const handled = () => new Set(numbersIn(home.read('out')))
  const what = () => `handled ${[...handled()].join(' ')}; ${listener.stderr}`
  await until(() => home.read('c') !== '', what)
  const publisher = start(['publish', '-i', url], { input: 'open' })
  let sent = 0
  for (const { at, victims } of [...KILLS, { at: EVENTS, victims: [] }]) {
    // Some more than are due, so that a kill hits events on their way.
    for (; sent < Math.min(EVENTS, at + 10); sent++)
      publisher.child.stdin!.write(`{"n": ${sent}}\n`)
    await until(() => handled().size >= at, what)
    for (const victim of victims)
      if (victim === 'server') await server.end('SIGKILL')
      else {
        listener.child.kill('SIGKILL')
        await listener.exit()
      }
    if (victims.some((victim) => victim === 'server')) await server.start()
    if (victims.some((victim) => victim === 'listener'))
      listener = start(words, { in: home.directory })
  }
  publisher.child.stdin!.end()
  assert.equal(await publisher.exit(), 0, publisher.stderr)

  const all = Array.from({ length: EVENTS }, (_, n) => n)
  assert.deepEqual(
    [...handled()].toSorted((a, b) => a - b),
    all,
  )
  assert.deepEqual(numbersIn((await publishedAt(url)).join('\n')), all)
})

/** A line may still be on its way to the file. */
function numbersIn(lines: string): number[] {
  return Array.from(lines.matchAll(/^\{"n": ?(\d+)\b.*\}$/gm), ([, n]) => Number(n))
}

/** @throws {Error} nothing has changed for too long. */
async function until(isSo: () => boolean, what: () => string): Promise<void> {
  let seen = what()
  let seenMs = performance.now()
  while (!isSo()) {
    await sleep(5)
    const now = what()
    if (now !== seen) [seen, seenMs] = [now, performance.now()]
    assert.ok(performance.now() - seenMs < DEADLINE_MS, `nothing happens any more: ${now}`)
  }
}
