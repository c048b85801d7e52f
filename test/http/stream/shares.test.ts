import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startInProcess } from '../../in-process-server.ts'
import { shared } from '../../shared.ts'
import { RawClient } from '../raw-client.ts'
import { basic, get, listen, publish, streamsLeft } from '../requests.ts'

const PROBLEM = 'Accept: application/problem+json, */*;q=0.1'

interface Asked extends AsyncDisposable {
  /** Those that are streams. */
  readonly streams: readonly RawClient[]
  /** Codes of the others. */
  readonly refusals: readonly string[]
  /** What the last one of them was told. */
  readonly told: string
}

/** So many requests for streams, each on a connection of its own. */
async function ask(
  { port }: { readonly port: number },
  count: number,
  target: (n: number) => string,
  { headers = () => [], from }: { headers?: (n: number) => string[]; from?: string } = {},
): Promise<Asked> {
  const streams: RawClient[] = []
  const refusals: string[] = []
  let told = ''
  await using opened = new AsyncDisposableStack()
  for (let first = 0; first < count; first += AT_ONCE)
    await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, count - first) }, async (_, i) => {
        const n = first + i
        const client = opened.use(await RawClient.open(port, { from }))
        client.send(get(target(n), PROBLEM, ...headers(n)))
        const { status, headers: answered } = await client.head()
        if (status === 200) {
          streams.push(client)
          return
        }
        const problem = JSON.parse(await client.take(Number(answered['content-length'])))
        assert.equal(problem.status, status)
        refusals.push(problem.code)
        told = problem.detail
      }),
    )
  const kept = opened.move()
  return { streams, refusals, told, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

const AT_ONCE = 50

function start(
  limits: Readonly<Record<string, number>>,
  { clients = {}, acl = {} }: { readonly clients?: object; readonly acl?: object } = {},
) {
  return startInProcess({
    config: JSON.stringify({
      server: { bind: '127.0.0.1', port: 0 },
      clients: { payloaders: ['127.0.0.1'], ...clients },
      limits,
    }),
    acl: JSON.stringify(acl),
  })
}

const where = (n: number) => `/a?where=n%3D%3D${n}`

test('one address with a crowd of streams, each with another ?where=, leaves others served', async () => {
  await using server = await start({ conditions: 100 })
  {
    await using greedy = await ask(server, 150, where)
    assert.equal(greedy.streams.length, 50, 'half of limits.conditions')
    assert.deepEqual([...new Set(greedy.refusals)], ['SHARE_EXCEEDED'])
    assert.match(
      greedy.told,
      /you have 50 .*where.*limits\.conditions_per_address.*limits\.conditions .*50/,
    )
    await using again = await ask(server, 10, where)
    assert.equal(again.streams.length, 10, 'those that it has already cost nothing')
    await using plain = await listen(server, '/a')
    await using honest = await ask(server, 3, (n) => where(n + 2_000), { from: '127.0.0.2' })
    await using same = await ask(server, 3, where, { from: '127.0.0.3' })
    assert.deepEqual([honest.streams.length, same.streams.length], [3, 3])
    await publish(server, '/a', { n: 2_001 })
    assert.equal((await honest.streams[1]!.event()).json.n, 2_001)
    assert.equal((await plain.event()).json.n, 2_001)
  }
  await streamsLeft(server, 0)
  await using again = await ask(server, 60, where)
  assert.equal(again.streams.length, 50, 'what has ended is free')
})

const groups = (n: number) => `/${Array.from({ length: 50 }, (_, i) => `g${n}x${i}`).join(',')}`
const several = (n: number) => `/${Array.from({ length: 50 }, (_, i) => `t${n}x${i}`).join('/')}`

for (const [what, target] of [
  ['comma groups', groups],
  ['topics in one group', several],
] as const)
  test(`one address with many ${what} leaves others served`, async () => {
    await using server = await start({ topic_filters_total: 2_000 })
    await using greedy = await ask(server, 40, target)
    assert.equal(greedy.streams.length, 20)
    assert.deepEqual([...new Set(greedy.refusals)], ['SHARE_EXCEEDED'])
    assert.match(
      greedy.told,
      /you have 1000 topic filters.* 50 more .*limits\.topic_filters_per_address.*total .*1000/,
    )
    await using honest = await ask(server, 5, (n) => target(n + 1_000), { from: '127.0.0.2' })
    assert.equal(honest.streams.length, 5)
  })

const forwarded = (address: string) => [`X-Forwarded-For: ${address}`]

const behindProxy = shared(() =>
  start(
    { conditions: 100, streams_per_address: 60 },
    {
      clients: { trust_proxy: ['127.0.0.1'], bad_credentials: 'reject' },
      acl: { alice: { password: 'wonderland', acl: {} } },
    },
  ),
)

test('behind a trusted proxy each forwarded address has its own share, of IPv6 its /64', async () => {
  await using site = await ask(behindProxy(), 30, where, {
    headers: (n) => forwarded(`192.0.2.${n}`),
  })
  assert.equal(site.streams.length, 30)
  await using greedy = await ask(behindProxy(), 90, (n) => where(n + 100), {
    headers: (n) => forwarded(`2001:db8::${n}`),
  })
  assert.equal(greedy.streams.length, 35, 'half of what was left')
  await using honest = await ask(behindProxy(), 3, (n) => where(n + 300), {
    headers: () => forwarded('2001:db8:0:1::1'),
  })
  assert.equal(honest.streams.length, 3)
  await using unknown = await ask(behindProxy(), 1, where, { headers: () => forwarded('garbage') })
  assert.equal(unknown.streams.length, 1)
})

test('a user has one share wherever it comes from, and leaves theirs to others at its addresses', async () => {
  await streamsLeft(behindProxy(), 0)
  await using alice = await ask(behindProxy(), 80, where, {
    headers: (n) => [...forwarded(`192.0.2.${n}`), basic('alice', 'wonderland')],
  })
  assert.equal(alice.streams.length, 50)
  assert.deepEqual([...new Set(alice.refusals)], ['SHARE_EXCEEDED'])
  await using again = await ask(behindProxy(), 20, () => '/b', {
    headers: (n) => [...forwarded(`198.51.100.${n}`), basic('alice', 'wonderland')],
  })
  assert.equal(again.streams.length, 10)
  assert.match(again.told, /you have 60 streams open.*limits\.streams_per_address, which is 60/)
  await using others = await ask(behindProxy(), 10, (n) => where(n + 100), {
    headers: (n) => forwarded(`192.0.2.${n}`),
  })
  assert.equal(others.streams.length, 10)
})

test('one address does not take all connections for its streams, and gets them back however they end', async () => {
  await using server = await start({ connections: 40 })
  const ways: Readonly<Record<string, (stream: RawClient) => void>> = {
    'it resets': (stream) => stream.reset(),
    'it half-closes': (stream) => stream.finishSending(),
    'it closes': (stream) => stream.socket.destroy(),
  }
  for (const [way, end] of Object.entries(ways)) {
    await using greedy = await ask(server, 30, () => '/a')
    // Connections that are still being closed are not left for others.
    assert.ok(greedy.streams.length > 10 && greedy.streams.length <= 20, way)
    assert.deepEqual([...new Set(greedy.refusals)], ['TOO_MANY_STREAMS'])
    assert.match(
      greedy.told,
      /you have \d+ streams open.*streams_per_address.*limits\.connections.*curl/,
    )
    for (const stream of greedy.streams) end(stream)
    await streamsLeft(server, 0)
  }
  await using bounded = await ask(server, 10, () => '/a?count=1')
  assert.equal(bounded.streams.length, 10)
  await publish(server, '/a', {})
  await Promise.all(bounded.streams.map((stream) => stream.rest()))
  await streamsLeft(server, 0)
  await using waiting = await ask(server, 10, () => '/a?timeout=100ms')
  assert.deepEqual([...new Set(waiting.refusals)], ['NO_EVENT'])
  await using again = await ask(server, 10, () => '/a')
  assert.equal(again.streams.length, 10)
  await using honest = await ask(server, 2, () => '/a', { from: '127.0.0.2' })
  assert.equal(honest.streams.length, 2)
})
