import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { fanload, median, option, row, startLimit, startPubsubd, type Figures } from './harness.ts'
import { plot, type Series } from './plot.ts'

/**
 * Cost per delivery as subscribers and topics grow, at the same deliveries per second. Publishing has its own cost, which few
 * subscribers share: it is measured alone, at the same rate, and taken off in the second figure.
 * Writes the plot to docs/scaling.svg with `--plot 1`.
 */
const rounds = option('rounds', 3)
const duration = option('seconds', 4)
const perSecond = option('deliveries', 20_000)
const SUBSCRIBERS = [10, 100, 1_000, 10_000]
const TOPICS = [1, 10, 100, 1_000, 10_000]
const TOPIC_SUBSCRIBERS = 10_000

interface Cost {
  readonly all: number
  readonly deliveryAlone: number
}

const common = { payload: 100, 'pub-conns': 16, duration }
const figure = (runs: readonly Figures[], name: string) => median(runs.map((run) => run[name]!))

async function cost(
  start: () => ReturnType<typeof startLimit>,
  subs: number,
  topics: number,
): Promise<Cost> {
  const load = { ...common, rate: perSecond / (subs / topics), topics, 'pub-path': '/bench%d' }
  await using server = await start()
  const publishing: Figures[] = []
  const delivering: Figures[] = []
  for (let round = 0; round < rounds; round++) {
    publishing.push(await fanload(server, { ...load, subs: 0 }))
    delivering.push(await fanload(server, { ...load, subs, 'sub-path': '/bench%d' }))
  }
  const all = figure(delivering, 'cpu_us_per_delivery')
  const deliveries = figure(delivering, 'delivered')
  return { all, deliveryAlone: all - (figure(publishing, 'server_cpu_s') * 1e6) / deliveries }
}

const ours: Record<'subscribers' | 'topics', Cost[]> = { subscribers: [], topics: [] }
const yardstick: Cost[] = []
row('subscribers', 'topics', 'µs CPU per delivery', 'without publishing', 'limit')
row('---', '---', '---', '---', '---')
for (const subs of SUBSCRIBERS) {
  const cost1 = await cost(startPubsubd, subs, 1)
  const limit = await cost(startLimit, subs, 1)
  ours.subscribers.push(cost1)
  yardstick.push(limit)
  row(subs, 1, cost1.all, cost1.deliveryAlone, limit.all)
}
for (const topics of TOPICS) {
  const each = await cost(startPubsubd, TOPIC_SUBSCRIBERS, topics)
  ours.topics.push(each)
  row(TOPIC_SUBSCRIBERS, topics, each.all, each.deliveryAlone, '')
}

if (option('plot', 0) === 1) {
  const svg = plot('µs CPU per delivery', [
    {
      title: 'subscribers of one topic',
      series: [
        series(
          'with publishing',
          SUBSCRIBERS,
          ours.subscribers.map((each) => each.all),
        ),
        series(
          'delivery alone',
          SUBSCRIBERS,
          ours.subscribers.map((each) => each.deliveryAlone),
        ),
        series(
          'limit.c',
          SUBSCRIBERS,
          yardstick.map((each) => each.all),
        ),
      ],
    },
    {
      title: 'topics of 10,000 subscribers',
      series: [
        series(
          'with publishing',
          TOPICS,
          ours.topics.map((each) => each.all),
        ),
        series(
          'delivery alone',
          TOPICS,
          ours.topics.map((each) => each.deliveryAlone),
        ),
      ],
    },
  ])
  writeFileSync(fileURLToPath(new URL('../docs/scaling.svg', import.meta.url)), svg)
}

function series(name: string, counts: readonly number[], costs: readonly number[]): Series {
  return { name, points: counts.map((count, i) => [count, costs[i]!]) }
}
