import {
  fanload,
  median,
  option,
  row,
  startPubsubd,
  WEB_SOCKET_HEADERS,
  type Figures,
} from './harness.ts'

/**
 * What each form of a stream costs beside PyPubSub's lines, which the others are measured by: CPU per delivery to 500
 * subscribers at fixed rates, all from the same server, and the memory of an idle stream, each form from a fresh one.
 */
const rounds = option('rounds', 5)
const seconds = option('seconds', 3)
const idle = option('idle', 9_000)
const RATES = option('deliveries', 1) === 1 ? [200, 1_000] : []

/** By what a subscriber's request says. */
const FORMS: readonly (readonly [name: string, headers: string])[] = [
  ["PyPubSub's lines", ''],
  ['NDJSON', 'Accept: application/x-ndjson\r\n'],
  ['server-sent events', 'Accept: text/event-stream\r\n'],
  ['CloudEvents', 'Accept: application/cloudevents+json\r\n'],
  // The load generator answers no pings: about one in 30 s for each.
  ['WebSocket', WEB_SOCKET_HEADERS],
]

const runs = new Map<string, Figures[]>()
const keep = (key: string, figures: Figures) => runs.set(key, [...(runs.get(key) ?? []), figures])

if (RATES.length > 0) {
  await using server = await startPubsubd()
  const load = { subs: 500, payload: 100, 'pub-conns': 16, duration: seconds }
  await fanload(server, { ...load, rate: RATES[0]! }) // what is compiled on the way is nobody's cost
  for (let round = 0; round < rounds; round++)
    for (const rate of RATES)
      for (const [form, headers] of inTurn(round))
        keep(`${form} ${rate}`, await fanload(server, { ...load, rate, 'sub-headers': headers }))
}
const idleRounds = idle === 0 ? 0 : rounds
for (let round = 0; round < idleRounds; round++)
  for (const [form, headers] of inTurn(round)) {
    await using server = await startPubsubd() // fresh, as memory once used is not given back
    const load = { subs: idle, rate: 1, duration: 0.1, idle: 1, 'sub-headers': headers }
    keep(`${form} idle`, await fanload(server, load))
  }

row('form', 'µs CPU per delivery at 200/s', 'at 1,000/s', 'p99 ms at 1,000/s', 'KB per idle stream')
row(...Array.from({ length: 5 }, () => '---'))
for (const [form] of FORMS)
  row(
    form,
    beside(form, '200', 'cpu_us_per_delivery'),
    beside(form, '1000', 'cpu_us_per_delivery'),
    figure(form, '1000', 'p99_ms') ?? '',
    beside(form, 'idle', 'kb_per_sub'),
  )

/** Each round begins with another form, so that none always comes behind the same one. */
function inTurn(round: number): typeof FORMS {
  const first = round % FORMS.length
  return [...FORMS.slice(first), ...FORMS.slice(0, first)]
}

function figure(form: string, kind: string, name: string): number | null {
  const all = runs.get(`${form} ${kind}`)
  return all === undefined ? null : median(all.map((run) => run[name]!))
}

/** With its ratio to PyPubSub's lines. */
function beside(form: string, kind: string, name: string): string {
  const value = figure(form, kind, name)
  if (value === null) return ''
  const ratio = value / figure(FORMS[0]![0], kind, name)!
  return `${value.toPrecision(3)} (${ratio.toFixed(2)} ×)`
}
