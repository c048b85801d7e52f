import type { TopicFilter } from '../src/hub/topics.ts'
import { TopicIndex } from '../src/hub/topics.ts'
import { row } from './harness.ts'

/** What an event that matches ten subscriptions costs, as unrelated ones grow: it must stay flat. */
const wish = (...topics: string[]): TopicFilter[] => [{ topics, privateOnly: false }]
const event = {
  topics: ['commit', 'git', 'project-7', 'branch-main'],
  isPrivate: false,
  path: '/commit/git/project-7/branch-main',
  payload: { type: 'json-object', text: '{}' },
} as const

row('distinct subscriptions', 'µs per event that matches 10')
row('---', '---')
for (const count of [1_000, 10_000, 100_000]) {
  const index = new TopicIndex<number>()
  // Subscriptions look alike: all name common topics, and one of their own.
  for (let n = 100; n < count + 90; n++) index.add(wish('commit', 'git', `project-${n}`), n)
  for (let n = 0; n < 10; n++)
    index.add(wish('commit', `project-7`, ...['git', 'branch-main'].slice(0, n % 3)), n)
  const found = index.matching(event).length
  if (found !== 10) throw new Error(`found ${found} of 10`)
  const turns = 200_000
  for (let i = 0; i < turns; i++) index.matching(event)
  const start = process.hrtime.bigint()
  for (let i = 0; i < turns; i++) index.matching(event)
  row(count, Number(process.hrtime.bigint() - start) / 1_000 / turns)
}
