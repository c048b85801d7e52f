import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OverloadedError } from '../../../src/hub/errors.ts'
import type { Cursor } from '../../../src/hub/event.ts'
import { MemoryStateStore } from '../../../src/log/memory/memory-state-store.ts'
import type { Interest } from '../../../src/protocols/lonelyps/interests.ts'
import { NotAllowedError } from '../../../src/protocols/lonelyps/errors.ts'
import {
  StoredSubscriptions,
  type StoredSubscriptionLimits,
} from '../../../src/protocols/lonelyps/stored-subscriptions.ts'
import { topicOf } from '../../../src/protocols/lonelyps/topic.ts'
import { FaultyStateStore, ROW_LIMITS } from '../../consumers/world.ts'

interface Loaded {
  readonly rows: StoredSubscriptions
  readonly state: FaultyStateStore
  readonly add: (url: string, about: Interest, owner?: string | null) => Promise<boolean>
  readonly set: (url: string, topics: readonly string[], owner?: string | null) => Promise<void>
}

let places = 0

/** Of a subscription of its own. */
function since(): Cursor {
  return `place ${places++}` as Cursor
}

async function load(
  limits: Partial<StoredSubscriptionLimits> = {},
  kept = new MemoryStateStore(),
  isKnown: (owner: string | null) => boolean = () => true,
): Promise<Loaded> {
  const state = new FaultyStateStore(kept)
  const all = { ...ROW_LIMITS, ...limits }
  const rows = await StoredSubscriptions.load({ state, limits: all, onChange: () => {}, isKnown })
  return {
    rows,
    state,
    add: (url, interest, owner = null) =>
      rows.add({ url, interest, owner, recovery: null, since: since() }),
    set: (url, topics, owner = null) =>
      rows.set(
        url,
        topics.map((topic) => ({ interest: exact(topic), recovery: null })),
        { owner, since: since() },
      ),
  }
}

function exact(topic: string): Interest {
  return { type: 'exact', topic: Buffer.from(topic) }
}

function glob(text: string): Interest {
  return { type: 'glob', glob: text }
}

test('a url belongs to whoever has come first, also of two who come at once', async () => {
  const { rows, add, set } = await load()
  const both = [add('u', exact('a'), 'ann'), add('u', exact('b'), 'bob')]
  const [first, second] = await Promise.allSettled(both)
  assert.equal(first!.status, 'fulfilled')
  assert.equal(second!.status, 'rejected')
  await assert.rejects(add('u', exact('a'), 'bob'), NotAllowedError)
  await assert.rejects(set('u', [], 'bob'), NotAllowedError)
  await assert.rejects(rows.remove('u', exact('a'), 'bob'), NotAllowedError)
  assert.throws(() => rows.checkOwner('u', 'bob'), NotAllowedError)
  await set('u', ['c'], 'ann')
  await set('u', [], 'ann')
  assert.equal(await add('u', exact('b'), 'bob'), true)
})

test('the url of one who is not known any more is free', async () => {
  const kept = new MemoryStateStore()
  const before = await load({}, kept)
  await before.add('u', exact('a'), 'gone')
  await before.add('u', exact('b'), 'gone')
  const { rows, add, set } = await load({}, kept, (owner) => owner !== 'gone')
  assert.equal(await add('u', exact('a'), 'ann'), true)
  assert.equal(await add('u', exact('a'), 'ann'), false)
  await set('u', ['a', 'b'], 'ann')
  assert.deepEqual(
    rows.of('u').map(({ owner }) => owner),
    ['ann', 'ann'],
  )
})

test('changes of many urls at once do not get beyond the limits of all', async () => {
  const { rows, add, set } = await load({ subscriptionsMax: 10, globsMax: 3 })
  const sets = ['u', 'v', 'w', 'x'].map((url) => set(url, ['a', 'b', 'c', 'd']))
  const refused = (await Promise.allSettled(sets)).filter(({ status }) => status === 'rejected')
  assert.equal(refused.length, 2)
  assert.equal(rows.size, 8)
  await set('u', [])
  const globs = ['1', '2', '3', '4', '5'].map((text) => add(`g${text}`, glob(text)))
  const failed = (await Promise.allSettled(globs)).filter(({ status }) => status === 'rejected')
  assert.equal(failed.length, 2)
})

test('an address may store as many as are left for all others, and is counted across a restart', async () => {
  const kept = new MemoryStateStore()
  const limits = { subscriptionsMax: 20, globsMax: 6 }
  const subscribe = ({ rows }: Loaded, share: string, interest: Interest) =>
    rows.add({
      url: `${share} ${places}`,
      interest,
      owner: null,
      recovery: null,
      since: since(),
      share,
    })
  const before = await load(limits, kept)
  const first = `a ${places}`
  for (let n = 0; n < 10; n++) assert.ok(await subscribe(before, 'a', exact('t')))
  const exceeded = {
    code: 'SHARE_EXCEEDED',
    message:
      /you have 10 stored subscriptions; 1 more would exceed protocols\.lonelyps\.subscriptions_per_address/,
  }
  await assert.rejects(subscribe(before, 'a', exact('t')), exceeded)
  const after = await load(limits, kept)
  await assert.rejects(subscribe(after, 'a', exact('t')), exceeded)
  for (let n = 0; n < 3; n++) assert.ok(await subscribe(after, 'b', glob(`${n}*`)))
  await assert.rejects(subscribe(after, 'b', glob('3*')), /you have 3 different globs/)
  assert.ok(await subscribe(after, 'b', glob('2*')))
  await after.set(first, [])
  await assert.rejects(subscribe(after, 'a', exact('t')), { code: 'SHARE_EXCEEDED' })
  assert.ok(await subscribe(after, 'c', exact('t')))
})

test('what one address has in long urls and topics, others do not lack', async () => {
  const { rows } = await load({ subscriptionsMax: 100 })
  const add = (share: string, topic: string) =>
    rows.add({
      url: topic.slice(0, 1),
      interest: exact(topic),
      owner: null,
      recovery: null,
      since: since(),
      share,
    })
  await add('a', 'a'.repeat(40_000))
  await assert.rejects(add('a', 'b'.repeat(40_000)), {
    code: 'SHARE_EXCEEDED',
    message: /bytes of urls and topics/,
  })
  assert.equal(await add('b', 'b'.repeat(40_000)), true)
})

test('changes of one address at once do not get beyond its share, and one that the disk refuses takes none of it', async () => {
  const { rows, state } = await load({ subscriptionsPerAddressMax: 2 })
  const add = (url: string) =>
    rows.add({ url, interest: exact('t'), owner: null, recovery: null, since: since(), share: 'a' })
  state.isFull = true
  await assert.rejects(add('u'), { code: 'LOG_UNAVAILABLE' })
  state.isFull = false
  const added = await Promise.allSettled(['u', 'v', 'w', 'x'].map(add))
  assert.deepEqual(
    added.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'rejected'],
  )
  const wanted = ['t', 's'].map((topic) => ({ interest: exact(topic), recovery: null }))
  const given = { owner: null, since: since(), share: 'a' }
  await assert.rejects(rows.set('u', wanted, given), { code: 'SHARE_EXCEEDED' })
  await rows.set('v', [], given)
  await rows.set('u', wanted, given)
})

test('long urls and topics use the room of several subscriptions', async () => {
  const { add } = await load({ subscriptionsMax: 100 })
  await add('u', exact('a'.repeat(60_000)))
  await assert.rejects(add('u', exact('b'.repeat(60_000))), OverloadedError)
  assert.equal(await add('u', exact('c'.repeat(30_000))), true)
})

test('a store that is full takes other recovery urls for what it has', async () => {
  const { rows, set } = await load({ subscriptionsMax: 2 })
  await set('u', ['a', 'b'])
  const wanted = ['a', 'b'].map((topic) => ({ interest: exact(topic), recovery: 'r' }))
  await rows.set('u', wanted, { owner: null, since: since() })
  assert.deepEqual(
    rows.of('u').map(({ recovery }) => recovery),
    ['r', 'r'],
  )
})

test('one url has no more than its limit, and what it has is a conflict rather than too much', async () => {
  const { add } = await load({ subscriptionsPerPeerMax: 2 })
  const added = await Promise.allSettled(['a', 'b', 'c'].map((topic) => add('u', exact(topic))))
  assert.deepEqual(
    added.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected'],
  )
  assert.equal(await add('u', exact('a')), false)
})

test('a change that the disk refuses has changed nothing, and takes no room', async () => {
  const { rows, state, add } = await load({ subscriptionsMax: 1, globsMax: 1 })
  state.isFull = true
  await assert.rejects(add('u', glob('*')))
  assert.deepEqual(rows.of('u'), [])
  state.isFull = false
  assert.equal(await add('v', glob('?')), true)
})

test('a subscription that was ended and made again is another one', async () => {
  const { rows, add, set } = await load()
  await set('u', ['a', 'b'])
  const [a] = rows.of('u')
  await rows.set('u', [{ interest: exact('a'), recovery: 'r' }], { owner: null, since: a!.since })
  assert.equal(rows.current(a!)?.recovery, 'r')
  await rows.remove('u', exact('a'), null)
  await add('u', exact('a'))
  assert.equal(rows.current(a!), null)
  await rows.end(a!)
  assert.equal(rows.of('u').length, 1)
})

test('what is asked about one url is what all are asked about', async () => {
  const { rows, add } = await load()
  for (const url of ['u', 'v'])
    for (const about of [exact('a'), exact('b'), glob('*'), glob('x*')]) await add(url, about)
  await rows.remove('u', glob('*'), null)
  for (const topic of ['a', 'b', 'xa', '', '\u00ff'].map((text) => topicOf(Buffer.from(text))))
    for (const url of ['u', 'v', 'w'])
      assert.deepEqual(
        [...rows.matchingOf(url, topic)].filter((row) => row !== null),
        [...rows.matching(topic)].filter((row) => row?.url === url),
      )
})

test('what is replaced while somebody goes through what matches comes once, as the old or the new one', async () => {
  const topic = topicOf(Buffer.from('abc'))
  const names = ['a*', 'z*', 'ab*', '*']
  for (const kind of ['matching', 'matchingOf'] as const)
    for (let at = 0; at < 8; at++) {
      const { rows } = await load()
      const about = { owner: null, since: since() }
      const wanted = names.map((name) => ({ interest: glob(name), recovery: null }))
      await rows.set('u', wanted, about)
      const found: string[] = []
      const going = kind === 'matching' ? rows.matching(topic) : rows.matchingOf('u', topic)
      let step = 0
      for (const row of going) {
        if (row?.interest.type === 'glob') found.push(row.interest.glob)
        if (step++ === at)
          await rows.set(
            'u',
            wanted.slice(0, 3).map((each) => ({ ...each, recovery: 'http://r/' })),
            { ...about, since: since() },
          )
      }
      assert.deepEqual(
        found.filter((name) => name !== '*'),
        ['a*', 'ab*'],
        `${kind}, replaced at step ${at}`,
      )
    }
})
