import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { ConfigError } from '../../src/settings/config-error.ts'
import { startInProcess, type InProcessServer } from '../in-process-server.ts'
import type { Case } from './pypubsub/case.ts'
import { cases } from './pypubsub/cases.ts'
import { asked, shown, type Compared } from './pypubsub/comparison.ts'
import { ACL, configText, type ConfigName } from './pypubsub/configs.ts'
import { deviations } from './pypubsub/deviations.ts'
import type { Expected, Observation, Transcript } from './pypubsub/observation.ts'
import { play } from './pypubsub/play.ts'
import { digestOf, readTranscripts } from './pypubsub/transcripts.ts'

/** Longer than this without what a case awaits, and it never comes, in ms. */
const SILENCE_MS = 20_000

/** Many cases await the next one, in ms. That it is 5 s by default is tested with the wheel of keep-alives. */
const KEEP_ALIVE_MS = 250

const { version }: { version: string } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
)
const transcripts = readTranscripts()

/** One server per config for all cases that do not need their own. */
const shared = new Map<ConfigName, Promise<InProcessServer>>()
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
    return await play(played, targetOf(server), TIMES)
  }
  const running = shared.get(played.config) ?? start(played.config)
  shared.set(played.config, running)
  return play(played, targetOf(await running), TIMES)
}

const TIMES = { silenceMs: SILENCE_MS, keepAliveMs: KEEP_ALIVE_MS }

/** Dozens of cases log in with wrong credentials. */
const UNSLOWED = 'limits: {login_delay: 0}\n'

function start(config: ConfigName): Promise<InProcessServer> {
  return startInProcess({
    config: configText(config, 0) + UNSLOWED,
    acl: ACL,
    times: { keepAliveMs: KEEP_ALIVE_MS },
  })
}

function targetOf({ port, reloadAcl }: InProcessServer) {
  return {
    port,
    async reloadAcl(text: string) {
      try {
        reloadAcl(text)
      } catch (error) {
        // The rights stay as they were: what the command makes of it is tested with `pubsubd` itself.
        if (!(error instanceof ConfigError)) throw error
      }
    },
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
