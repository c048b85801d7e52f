import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startServer, type RunningServer } from '../running-server.ts'
import type { Case } from './pypubsub/case.ts'
import { cases } from './pypubsub/cases.ts'
import { asked, shown, type Compared } from './pypubsub/comparison.ts'
import { ACL, configText, type ConfigName } from './pypubsub/configs.ts'
import { deviations } from './pypubsub/deviations.ts'
import type { Expected, Observation, Transcript } from './pypubsub/observation.ts'
import { play } from './pypubsub/play.ts'
import { digestOf, readTranscripts } from './pypubsub/transcripts.ts'

/** Longer than this without what a case awaits, and it never comes. Keep-alives take 5 s. */
const SILENCE_MS = 10_000

const { version }: { version: string } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
)
const transcripts = readTranscripts()

/** One server per config for all cases that do not need their own. */
const shared = new Map<ConfigName, Promise<RunningServer>>()
after(async () => {
  for (const server of shared.values()) await (await server)[Symbol.asyncDispose]()
})

test('every transcript and every deviation belongs to a case', () => {
  const names = cases.map(({ name }) => name)
  assert.equal(new Set(names).size, names.length)
  assert.deepEqual(Object.keys(transcripts), names)
  const deviating = deviations.flatMap((deviation) => Object.keys(deviation.cases))
  assert.equal(new Set(deviating).size, deviating.length)
  assert.deepEqual(
    deviating.filter((name) => !names.includes(name)),
    [],
  )
})

for (const played of cases)
  test(played.name, async () => {
    const recorded = transcripts[played.name]
    assert.equal(recorded?.steps, digestOf(played), 'the case changed: record it anew (record.ts)')
    const seen = await playOnOurs(played)
    for (const answer of Object.values(seen).flat()) if ('status' in answer) checkHeaders(answer)
    const asks = mapValues(expectedOf(played.name, recorded.seen), (observations) =>
      observations.map((each) => asked(each, { counts: played.freshServer === true })),
    )
    const shows = mapValues(seen, (observations, on) =>
      observations.map((each, n) => shown(each, asks[on]?.[n])),
    )
    assert.deepEqual(mapValues(shows, readable), mapValues(asks, readable))
  })

async function playOnOurs(played: Case): Promise<Transcript> {
  if (played.freshServer) {
    await using server = await start(played.config)
    return await play(played, targetOf(server), SILENCE_MS)
  }
  const running = shared.get(played.config) ?? start(played.config)
  shared.set(played.config, running)
  return await play(played, targetOf(await running), SILENCE_MS)
}

function start(config: ConfigName): Promise<RunningServer> {
  return startServer({ config: configText(config, 0), acl: ACL })
}

function targetOf(server: RunningServer) {
  return {
    port: server.port,
    async reloadAcl(text: string) {
      const { length } = server.output()
      writeFileSync(join(server.directory, 'pubsub_acl.yaml'), text)
      server.process.kill('SIGUSR2')
      // Whatever it says of the file, it says after it has taken or refused it.
      await printedBeyond(server, length, /pubsub_acl\.yaml.*\n/)
    },
  }
}

async function printedBeyond(server: RunningServer, length: number, pattern: RegExp) {
  const { stdout, stderr } = server.process
  assert(stdout && stderr)
  const signal = AbortSignal.timeout(SILENCE_MS)
  while (!pattern.test(server.output().slice(length))) {
    assert.equal(server.process.signalCode ?? server.process.exitCode, null, server.output())
    await Promise.race([
      once(stdout, 'data', { signal }),
      once(stderr, 'data', { signal }),
      once(server.process, 'exit', { signal }),
    ])
  }
}

/** What the transcript has, save for the connections on which we differ on purpose. */
function expectedOf(name: string, recorded: Transcript) {
  const deviation = deviations.find((each) => name in each.cases)
  const expected: Readonly<Record<string, readonly (Observation | Expected)[]>> = {
    ...recorded,
    ...deviation?.cases[name],
  }
  return expected
}

function checkHeaders(answer: Extract<Observation, { status: number }>): void {
  if (answer.status < 200) return
  assert.equal(answer.headers['server'], `PyPubSub/0.7.4 (pubsubd ${version})`)
  assert.match(answer.headers['x-subscribers'] ?? '', /^\d+$/)
  assert.match(answer.headers['x-requests'] ?? '', /^\d+$/)
  assert.equal(answer.headers['content-encoding'], undefined)
}

/** One line per observation, so that a difference shows. */
function readable(observations: readonly Compared[]): readonly string[] {
  return observations.map((each) =>
    JSON.stringify(each, (_, value: unknown) => (value instanceof RegExp ? String(value) : value)),
  )
}

function mapValues<Value, Result>(
  record: Readonly<Record<string, Value>>,
  map: (value: Value, key: string) => Result,
): Record<string, Result> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]))
}
