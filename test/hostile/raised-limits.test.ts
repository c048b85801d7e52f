import fc from 'fast-check'
import { hostileGroup, type HostileCase } from './hostile-group.ts'
import { requestText, sendBytes } from './http-input.ts'

const HEAD_BYTES = 262_144
const TOPICS = 8_192
const GROUPS = 4_096

/** As much as the limits allow at most, with the limits raised as far as they can be. */
const CASES: Readonly<Record<string, readonly [number, (i: number) => string]>> = {
  'comma groups': [GROUPS, (i) => `${i.toString(36)},`],
  'comma groups of several topics': [
    GROUPS,
    (i) => `${i.toString(36)}/a/${(i % 97).toString(36)}/b,`,
  ],
  topics: [TOPICS, (i) => `${i.toString(36)}/`],
  'topics that are escaped': [TOPICS, (i) => `%e4%b8%ad${i.toString(36)}/`],
  'commas and nothing': [GROUPS, () => ','],
  'slashes and nothing': [TOPICS, () => '/'],
}

hostileGroup(
  'limits as high as they can be',
  { config: { limits: { head_bytes: HEAD_BYTES, topics: TOPICS, topic_filters: GROUPS } } },
  Object.entries(CASES).map(
    ([name, [countMax, piece]]): HostileCase<{ method: string; count: number }> => ({
      name,
      runs: 6,
      inputs: fc.record({
        method: fc.constantFrom('GET', 'PUT'),
        count: fc.integer({ min: countMax / 2, max: countMax }),
      }),
      examples: ['GET', 'PUT'].map((method) => ({ method, count: countMax })),
      async send(server, { method, count }) {
        const pieces = Array.from({ length: count }, (_, i) => piece(i))
          .join('')
          .slice(0, -1)
        const target = `/${pieces}`.slice(0, HEAD_BYTES - 200)
        const lines = method === 'PUT' ? ['Content-Length: 7'] : []
        await sendBytes(
          server,
          requestText(method, target, lines),
          method === 'PUT' ? '{"a":1}' : '',
        )
      },
    }),
  ),
)
