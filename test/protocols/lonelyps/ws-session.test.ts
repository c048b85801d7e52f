import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as settled } from 'node:timers/promises'
import fc from 'fast-check'
import { LimitExceededError } from '../../../src/publication/errors.ts'
import {
  CONFIGURE,
  contentOf,
  notify,
  notifyParts,
  Peer,
  SECRETS,
  subscribeTo,
  subscribeToGlob,
  text,
  unsubscribeFrom,
  unsubscribeFromGlob,
  type PeerOptions,
  type Saying,
} from './ws-peer.ts'

/** To the peer, as the hub would. The return value is the session's. */
function deliver(peer: Peer, topic: string, message: Uint8Array | string): boolean {
  const bytes = Buffer.from(message)
  return peer.deliver(Buffer.from(topic), bytes)
}

/** One that is subscribed to `a`, with parts of 10 bytes. */
async function subscribed(options: PeerOptions = {}): Promise<Peer> {
  const peer = Peer.configured({ ...options, limits: { partBytesMax: 10, ...options.limits } })
  peer.say(subscribeTo('a'))
  await settled()
  assert.deepEqual(peer.news(), ['CONFIRM_SUBSCRIBE_EXACT'])
  peer.asked.length = 0
  return peer
}

function assertClosed(peer: Peer, reason: RegExp): void {
  assert.match(peer.closed?.reason ?? 'open', reason)
}

describe('the handshake', () => {
  for (const secrets of Object.values(SECRETS))
    for (const form of ['minimal', 'expanded'] as const)
      test(`of one with ${secrets.name} and ${form} headers says who it is`, () => {
        const peer = new Peer({ secrets, form })
        peer.say(CONFIGURE)
        assert.deepEqual(peer.news(), ['CONFIRM_CONFIGURE'])
        assert.deepEqual(peer.asked, [`configured ${secrets.name}`])
        assert.equal(peer.closed, null)
      })

  test('comes first', () => {
    const peer = new Peer()
    peer.say(subscribeTo('a'))
    assertClosed(peer, /^SUBSCRIBE_EXACT before CONFIGURE$/)
    assert.deepEqual([peer.received, peer.asked], [[], []])
  })

  test('comes once', () => {
    const peer = Peer.configured()
    peer.say(CONFIGURE)
    assertClosed(peer, /second CONFIGURE/)
  })

  test('is refused without authorization, with a wrong one, and with that of another message', () => {
    for (const secrets of [SECRETS.token, SECRETS.hmac]) {
      const others = new Peer({ secrets })
      const authorization = others.authorize({ ...CONFIGURE, initialDictionary: 2 })
      const wrong = secrets === SECRETS.hmac ? authorization : 'Bearer other'
      for (const [given, reason] of [
        [null, /unauthorized/],
        [wrong, /forbidden/],
      ] as const) {
        const peer = new Peer({ secrets })
        peer.session.receive(peer.write(CONFIGURE, given))
        assertClosed(peer, reason)
        assert.deepEqual([peer.received, peer.asked], [[], []])
      }
    }
  })
})

describe('a subscription', () => {
  test('is confirmed before the first delivery because of it, however early that comes', async () => {
    const peer: Peer = Peer.configured({
      ports: { subscribe: () => queueMicrotask(() => deliver(peer, 'a', 'at once')) },
    })
    peer.say(subscribeTo('a'))
    await settled()
    assert.deepEqual(peer.news(), ['CONFIRM_SUBSCRIBE_EXACT', 'part 0'])
  })

  test('does not stop the parts of a delivery that has begun', async () => {
    const peer = await subscribed()
    deliver(peer, 'a', 'x'.repeat(45))
    peer.session.missed(Buffer.from('a'))
    peer.say(subscribeTo('b'))
    await settled()
    peer.acknowledge()
    assert.deepEqual(peer.news(), [
      'part 0',
      'part 1',
      'part 2',
      'CONFIRM_SUBSCRIBE_EXACT',
      'part 3',
      'part 4',
      'MISSED',
    ])
  })

  test('cannot be made twice', async () => {
    for (const subscribe of [subscribeTo('a'), subscribeToGlob('a')]) {
      const peer = Peer.configured()
      peer.say(subscribe)
      peer.say(subscribe)
      await settled()
      assertClosed(peer, /^subscribed already$/)
    }
  })

  test('to a topic is another than to the glob that reads the same', async () => {
    const peer = Peer.configured()
    peer.say(subscribeTo('a'))
    peer.say(subscribeToGlob('a'))
    await settled()
    assert.deepEqual(peer.asked, ['subscribe =a', 'subscribe *a'])
    assert.deepEqual(peer.news(), ['CONFIRM_SUBSCRIBE_EXACT', 'CONFIRM_SUBSCRIBE_GLOB'])
  })

  test('that does not exist cannot be ended', async () => {
    for (const unsubscribe of [unsubscribeFrom('a'), unsubscribeFromGlob('b')]) {
      const peer = Peer.configured()
      peer.say(subscribeTo('b'))
      peer.say(unsubscribe)
      await settled()
      assertClosed(peer, /^not subscribed$/)
    }
  })

  test('can be made again after it was ended', async () => {
    const peer = Peer.configured()
    for (const saying of [subscribeTo('a'), unsubscribeFrom('a'), subscribeTo('a')])
      peer.say(saying)
    await settled()
    assert.deepEqual(peer.asked, ['subscribe =a', 'unsubscribe =a', 'subscribe =a'])
    assert.equal(peer.closed, null)
  })

  test('that is refused closes the session with the reason for it', async () => {
    const cause = new RangeError('too many')
    for (const subscribe of [() => assert.fail(cause)]) {
      const peer = Peer.configured({ ports: { subscribe } })
      peer.say(subscribeTo('a'))
      await settled()
      assert.deepEqual(peer.closed, { reason: 'a request was refused', cause })
      assert.deepEqual([peer.news(), peer.asked], [[], []])
    }
  })

  test('to a glob that is too long closes the session', async () => {
    const peer = Peer.configured()
    peer.say(subscribeToGlob('*'.repeat(1_000)))
    await settled()
    assertClosed(peer, /the glob has 1000 characters/)
    assert.deepEqual(peer.asked, [])
  })

  test('ends with the session', async () => {
    const peer = Peer.configured()
    peer.say(subscribeTo('a'))
    peer.say(subscribeToGlob('b'))
    await settled()
    peer.session.end()
    peer.session.end()
    assert.deepEqual(peer.asked, [
      'subscribe =a',
      'subscribe *b',
      'unsubscribe =a',
      'unsubscribe *b',
    ])
    assert.equal(peer.closed, null)
  })
})

describe('after the end of a subscription', () => {
  test('nothing begins any more because of it, and what had begun is completed', async () => {
    const peer = await subscribed()
    deliver(peer, 'a', 'x'.repeat(45))
    deliver(peer, 'a', 'waits')
    peer.session.missed(Buffer.from('a'))
    peer.say(unsubscribeFrom('a'))
    await settled()
    assert.deepEqual(peer.news(), ['part 0', 'part 1', 'part 2', 'CONFIRM_UNSUBSCRIBE_EXACT'])
    peer.acknowledge()
    assert.deepEqual(peer.news(), ['part 3', 'part 4'])
    assert.equal(peer.session.isWaiting, false)
  })

  test('what another one wants still comes', async () => {
    const peer = await subscribed()
    for (const glob of ['b*', 'n\u00e4*']) peer.say(subscribeToGlob(glob))
    await settled()
    peer.news()
    for (const message of ['1', '2', '3']) deliver(peer, 'a', message)
    for (const topic of ['a', 'bc', 'n\u00e4h', 'd']) deliver(peer, topic, 'waits')
    // Not UTF-8, so no glob is for it.
    deliver(peer, 'a', 'waits, too')
    peer.deliver(Buffer.of(0x62, 0xff), Buffer.of())
    peer.say(unsubscribeFrom('a'))
    peer.say(subscribeTo('d'))
    await settled()
    peer.acknowledge()
    const topics = peer.delivered.slice(3).map((each) => each.split(' ')[0])
    assert.deepEqual(topics, ['bc', text(Buffer.from('n\u00e4h')), 'd'])
    assert.equal(peer.session.isWaiting, false)
  })
})

describe('requests', () => {
  test('are answered in the order in which they came, however long one takes', async () => {
    const asked: string[] = []
    const notifying: (() => void)[] = []
    const peer = Peer.configured({
      ports: {
        notify: (topic) => {
          asked.push(`notify ${text(topic)}`)
          return new Promise((resolve) => notifying.push(() => resolve(3)))
        },
        subscribe: () => void asked.push('subscribe'),
      },
    })
    for (const saying of [
      notify('a', '1'),
      subscribeTo('b'),
      notify('c', '2'),
      unsubscribeFrom('b'),
    ])
      peer.say(saying)
    await settled()
    assert.deepEqual([peer.news(), asked], [[], ['notify a']])
    notifying.shift()!()
    await settled()
    assert.deepEqual(peer.news(), ['CONFIRM_NOTIFY', 'CONFIRM_SUBSCRIBE_EXACT'])
    assert.deepEqual(asked, ['notify a', 'subscribe', 'notify c'])
    notifying.shift()!()
    await settled()
    assert.deepEqual(peer.news(), ['CONFIRM_NOTIFY', 'CONFIRM_UNSUBSCRIBE_EXACT'])
  })

  test('to notify are under way together, begun in their order, and answered in it', async () => {
    const begun: string[] = []
    const ends: (() => void)[] = []
    const peer = Peer.configured({
      ports: {
        notify: (_, message) => {
          begun.push(text(message))
          return new Promise((resolve) => ends.push(() => resolve(begun.length)))
        },
      },
    })
    for (const message of ['1', '2']) peer.say(notify('a', message))
    for (const part of notifyParts('a', Buffer.from('34'), [1, 1])) peer.say(part)
    peer.say(subscribeTo('a'))
    peer.say(notify('a', '5'))
    await settled()
    assert.deepEqual([begun, peer.news()], [['1', '2', '34'], []])
    for (const end of ends.splice(0).toReversed()) {
      assert.deepEqual(peer.news(), [])
      end()
      await settled()
    }
    assert.deepEqual(peer.news(), [
      'CONFIRM_NOTIFY',
      'CONFIRM_NOTIFY',
      'CONTINUE_NOTIFY',
      'CONFIRM_NOTIFY',
      'CONFIRM_SUBSCRIBE_EXACT',
    ])
    assert.deepEqual(begun, ['1', '2', '34', '5'])
  })

  test('to notify what must not be notified close the session when their turn comes, and none behind is begun', async () => {
    const cause = new Error('not allowed')
    const ends: (() => void)[] = []
    const peer = Peer.configured({
      ports: {
        notify: (topic) => {
          if (text(topic) === 'bad') throw cause
          return new Promise((resolve) => ends.push(() => resolve(1)))
        },
      },
    })
    for (const topic of ['a', 'bad', 'a']) peer.say(notify(topic, '1'))
    await settled()
    assert.deepEqual([peer.closed, ends.length], [null, 1])
    ends[0]!()
    await settled()
    assert.deepEqual(peer.news(), ['CONFIRM_NOTIFY'])
    assert.deepEqual(peer.closed, { reason: 'a request was refused', cause })
    assert.equal(ends.length, 1)
  })

  test('that wait do not hold up deliveries', async () => {
    const peer = await subscribed({ ports: { notify: () => new Promise(() => {}) } })
    peer.say(notify('a', '1'))
    deliver(peer, 'a', 'x'.repeat(55))
    peer.acknowledge()
    assert.deepEqual(peer.delivered, [`a ${'x'.repeat(55)}`])
  })

  test('are confirmed between the parts of a delivery', async () => {
    const peer = await subscribed()
    deliver(peer, 'a', 'x'.repeat(45))
    peer.say(subscribeTo('b'))
    peer.say(notify('b', '1'))
    for (const part of notifyParts('b', Buffer.from('12'), [1, 1])) peer.say(part)
    await settled()
    peer.acknowledge()
    assert.deepEqual(peer.news(), [
      'part 0',
      'part 1',
      'part 2',
      'CONFIRM_SUBSCRIBE_EXACT',
      'CONFIRM_NOTIFY',
      'CONTINUE_NOTIFY',
      'CONFIRM_NOTIFY',
      'part 3',
      'part 4',
    ])
  })

  test('are to wait once 255 are unanswered, and are taken nevertheless', async () => {
    const { promise, resolve } = Promise.withResolvers<number>()
    const peer = Peer.configured({ ports: { notify: () => promise } })
    const told = Array.from({ length: 3_000 }, () => peer.say(notify('a', '1')))
    assert.deepEqual([told.indexOf(false), told.lastIndexOf(true), peer.asked], [254, 253, []])
    resolve(1)
    await settled()
    assert.equal(peer.news().length, 3_000)
    assert.deepEqual(peer.asked, ['readOn'])
    assert.equal(peer.say(notify('a', '1')), true)
  })

  test('without end close the session if none is answered', async () => {
    const peer = Peer.configured({ ports: { notify: () => new Promise(() => {}) } })
    for (let count = 0; count < 4_097 && peer.closed === null; count++) peer.say(notify('a', '1'))
    assertClosed(peer, /^more than 4096 requests are unanswered$/)
  })

  test('are to wait once more bytes are unanswered than one notification may have', async () => {
    const { promise, resolve } = Promise.withResolvers<number>()
    const peer = Peer.configured({
      ports: { notify: () => promise },
      limits: { messageBytesMax: 10 },
    })
    const whole = [notify('a', '0123456789'), ...notifyParts('a', Buffer.from('1'), [1])]
    assert.deepEqual(
      whole.map((saying) => peer.say(saying)),
      [true, false],
    )
    assert.deepEqual(peer.asked, [])
    resolve(1)
    await settled()
    assert.deepEqual(peer.asked, ['readOn'])
    assert.equal(peer.say(notify('a', '0123456789')), true)
  })

  test('that are to wait are not asked for after the connection has gone', async () => {
    const { promise, resolve } = Promise.withResolvers<number>()
    const peer = Peer.configured({
      ports: { notify: () => promise },
      limits: { messageBytesMax: 10 },
    })
    for (const saying of [notify('a', '0123456789'), notify('a', '1')]) peer.say(saying)
    peer.session.end()
    resolve(1)
    await settled()
    assert.deepEqual(peer.asked, [])
  })

  test('behind one that is refused do not count', async () => {
    const cause = new Error('not allowed')
    const peer = Peer.configured({ ports: { notify: () => Promise.reject(cause) } })
    peer.say(notify('a', '1'))
    peer.say(subscribeTo('b'))
    await settled()
    assert.deepEqual(peer.closed, { reason: 'a request was refused', cause })
    assert.deepEqual([peer.asked, peer.news()], [[], []])
  })

  const endings: Readonly<Record<string, (peer: Peer) => void>> = {
    'the connection goes': (peer) => peer.session.end(),
    'the subscriber breaks a rule': (peer) => peer.say(CONFIGURE),
  }
  for (const [what, ending] of Object.entries(endings))
    test(`to notify that came before ${what} are carried out, and nothing more is sent`, async () => {
      const notified: string[] = []
      const notifying: (() => void)[] = []
      const peer = await subscribed({
        ports: {
          notify: (_, message) => {
            notified.push(text(message))
            return new Promise((resolve) => notifying.push(() => resolve(1)))
          },
        },
      })
      for (const saying of [
        notify('a', '1'),
        subscribeTo('b'),
        unsubscribeFrom('a'),
        notify('a', '2'),
      ])
        peer.say(saying)
      deliver(peer, 'a', 'x'.repeat(45))
      assert.deepEqual(peer.news(), ['part 0', 'part 1', 'part 2'])
      const unfinished = notifyParts('a', Buffer.from('345'), [1, 1, 1]).slice(0, 2)
      for (const part of unfinished) peer.say(part)
      ending(peer)
      assert.equal(peer.say(notify('a', 'later')), true)
      assert.equal(deliver(peer, 'a', 'later'), true)
      peer.session.missed(Buffer.from('a'))
      notifying.shift()!()
      await settled()
      notifying.shift()!()
      await settled()
      assert.deepEqual(notified, ['1', '2'])
      assert.deepEqual(peer.asked, ['unsubscribe =a'])
      assert.deepEqual([peer.news(), peer.session.isWaiting], [[], false])
    })
})

describe('a notification', () => {
  test('reaches the hub, and is confirmed with the number of subscribers', async () => {
    for (const secrets of Object.values(SECRETS)) {
      const peer = Peer.configured({ secrets })
      peer.say(notify('a', 'hello'))
      peer.say(notify('', ''))
      await settled()
      assert.deepEqual(peer.notified, ['a hello', ' '])
      assert.deepEqual(
        peer.received.map((each) => each.type === 'CONFIRM_NOTIFY' && each.subscribers),
        [1, 1],
      )
    }
  })

  test('in parts arrives whole, however it is split', async () => {
    const splits = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(
        splits,
        fc.constantFrom(...Object.values(SECRETS)),
        async (lengths, secrets) => {
          const total = lengths.reduce((sum, length) => sum + length)
          const message = Buffer.from(Array.from({ length: total }, (_, index) => index % 251))
          const peer = Peer.configured({ secrets })
          for (const part of notifyParts('a', message, lengths)) peer.say(part)
          await settled()
          assert.deepEqual(peer.notified, [`a ${text(message)}`])
          const continued = Array.from(lengths, () => 'CONTINUE_NOTIFY').slice(1)
          assert.deepEqual(peer.news(), [...continued, 'CONFIRM_NOTIFY'])
        },
      ),
      { numRuns: 50 },
    )
  })

  test('without bytes is one part', async () => {
    const peer = Peer.configured()
    for (const part of notifyParts('a', Buffer.of(), [0])) peer.say(part)
    await settled()
    assert.deepEqual([peer.notified, peer.news()], [['a '], ['CONFIRM_NOTIFY']])
  })

  test('in parts may have acknowledgements and subscriptions between them', async () => {
    const peer = await subscribed({ secrets: SECRETS.hmac })
    deliver(peer, 'a', 'x'.repeat(25))
    const [first, second] = notifyParts('a', Buffer.from('12'), [1, 1])
    peer.say(first!)
    peer.acknowledge(2)
    peer.say(subscribeTo('b'))
    peer.say(second!)
    peer.acknowledge()
    await settled()
    assert.deepEqual(peer.notified, ['a 12'])
    assert.equal(peer.closed, null)
  })

  const [part0, part1, part2] = notifyParts('a', Buffer.from('012345'), [2, 2, 2])
  const changed = (change: Parameters<typeof notify>[2]): Saying[] => [
    { ...part0!, content: { ...part0!.content!, ...change } },
    { ...part1!, body: Buffer.from('2345') },
  ]
  const WRONG: Readonly<Record<string, readonly [RegExp, ...Saying[]]>> = {
    'whose hash is wrong': [/SHA-512/, notify('a', '1', { compressedSha512: Buffer.alloc(64) })],
    'that is shorter than it says': [
      /bytes instead of/,
      notify('a', '1', { compressedBytes: 2, decompressedBytes: 2 }),
    ],
    'that is longer than it says': [
      /bytes instead of/,
      notify('a', '1', { compressedBytes: 0, decompressedBytes: 0 }),
    ],
    'with two lengths': [/two lengths/, notify('a', '1', { decompressedBytes: 2 })],
    'that is compressed': [/compressor 1 was not enabled/, notify('a', '1', { compressor: 1 })],
    'in parts whose hash is wrong': [/SHA-512/, ...changed({ compressedSha512: Buffer.alloc(64) })],
    'in parts with two lengths': [/two lengths/, ...changed({ decompressedBytes: 7 })],
    'in parts that is compressed': [/compressor 65536/, ...changed({ compressor: 65_536 })],
    'in parts that are more than it says': [
      /more than the 6 bytes/,
      part0!,
      part1!,
      { ...part2!, body: Buffer.from('456') },
    ],
    'without its first part': [/not part 0/, { ...part0!, partId: 1, content: null }],
    'without one of its parts': [/part 2 instead of part 1/, part0!, part2!],
    'with a part twice': [/part 1 instead of part 2/, part0!, part1!, part1!],
    'that begins again': [/part 0 instead of part 1/, part0!, part0!],
    'with an empty part': [/without bytes/, part0!, { ...part1!, body: Buffer.of() }],
    'that begins without bytes': [/without bytes/, { ...part0!, body: Buffer.of() }],
    'between the parts of another one': [
      /another notification/,
      part0!,
      { ...part1!, identifier: Buffer.from('other') },
    ],
    'as a whole between the parts of another one': [/NOTIFY before/, part0!, notify('a', '1')],
  }
  for (const [what, [reason, ...sayings]] of Object.entries(WRONG))
    test(`${what} closes the session and reaches nobody`, async () => {
      const peer = Peer.configured({ limits: { messageBytesMax: 6 } })
      for (const saying of sayings) peer.say(saying)
      await settled()
      assertClosed(peer, reason)
      assert.deepEqual(peer.notified, [])
    })

  for (const secrets of [SECRETS.none, SECRETS.hmac])
    test(`that is too long reaches nobody, is not kept, and its sender is told so and goes on (${secrets.toSubscriber.type})`, async () => {
      const peer = Peer.configured({ secrets, limits: { messageBytesMax: 6 } })
      peer.say(notify('a', '0123456'))
      const parts = notifyParts('a', Buffer.from('0123456'), [3, 3, 1])
      for (const part of parts) {
        peer.say(part)
        assert.equal(peer.heldBytes, 0)
      }
      peer.say(notify('a', '1'))
      await settled()
      assert.deepEqual(
        peer.received.map((answer) =>
          answer.type === 'CONFIRM_NOTIFY' ? answer.subscribers : answer.type,
        ),
        [0, 'CONTINUE_NOTIFY', 'CONTINUE_NOTIFY', 0, 1],
      )
      assert.deepEqual(peer.notified, ['a 1'])
      assert.match(
        peer.asked.join(),
        /refused: a message of 7 bytes, the limit is 6 .*refused: a message of 7/,
      )
      assert.equal(peer.closed, null)
    })

  test('whose topic is too long for us reaches nobody, and its sender is told so and goes on', async () => {
    const peer = Peer.configured({
      ports: {
        notify: (topic) => {
          if (text(topic) === 'long') throw new LimitExceededError('too many topics')
          return Promise.resolve(1)
        },
      },
    })
    for (const topic of ['long', 'a']) peer.say(notify(topic, '1'))
    await settled()
    assert.deepEqual(
      peer.received.map((answer) => answer.type === 'CONFIRM_NOTIFY' && answer.subscribers),
      [0, 1],
    )
    assert.deepEqual([peer.asked, peer.closed], [['refused: too many topics'], null])
  })

  test('is held until it is answered, and not when the connection goes', async () => {
    const ends: (() => void)[] = []
    const notified = () => new Promise<number>((resolve) => ends.push(() => resolve(1)))
    const peer = Peer.configured({ ports: { notify: notified } })
    peer.say(notify('a', '0123'))
    const [first, ...others] = notifyParts('a', Buffer.from('012345'), [2, 4])
    peer.say(first!)
    assert.ok(peer.heldBytes >= 6, `${peer.heldBytes}`)
    for (const part of others) peer.say(part)
    await settled()
    assert.equal(peer.heldBytes, 10)
    ends.shift()!()
    await settled()
    assert.equal(peer.heldBytes, 6)
    peer.say(first!)
    peer.session.end()
    for (const end of ends) end()
    await settled()
    assert.equal(peer.heldBytes, 0)
  })

  test('of the greatest length is taken in both ways', async () => {
    const peer = Peer.configured({ limits: { messageBytesMax: 6 } })
    for (const saying of [notify('a', '012345'), part0!, part1!, part2!]) peer.say(saying)
    await settled()
    assert.deepEqual(peer.notified, ['a 012345', 'a 012345'])
  })
})

describe('a delivery', () => {
  test('goes out in parts of which three at most are unacknowledged', async () => {
    const peer = await subscribed()
    deliver(peer, 'a', 'x'.repeat(35))
    deliver(peer, 'a', 'second')
    deliver(peer, 'a', 'third')
    assert.deepEqual(peer.news(), ['part 0', 'part 1', 'part 2'])
    peer.acknowledge(1)
    assert.deepEqual(peer.news(), ['part 3'])
    peer.acknowledge(1)
    assert.deepEqual(peer.news(), ['part 0'])
    peer.acknowledge(2)
    assert.deepEqual([peer.news(), peer.unacknowledgedParts], [['part 0'], 2])
    peer.acknowledge()
    assert.deepEqual(peer.delivered, [`a ${'x'.repeat(35)}`, 'a second', 'a third'])
  })

  test('has the parts that its length asks for, and one without bytes', async () => {
    const peer = await subscribed()
    for (const [bytes, parts] of [
      [0, 1],
      [1, 1],
      [10, 1],
      [11, 2],
      [20, 2],
      [21, 3],
    ] as const) {
      deliver(peer, 'a', 'x'.repeat(bytes))
      peer.acknowledge()
      assert.equal(peer.news().length, parts, `${bytes} bytes`)
    }
  })

  // lonelyps' own broadcaster (lonelypss 0.0.11) counts every part, and its client rejects what comes next.
  test('of several parts counts once, so that a subscriber that verifies takes the next one', async () => {
    const peer = await subscribed({ secrets: SECRETS.hmac })
    for (const bytes of [25, 5, 45]) {
      deliver(peer, 'a', 'x'.repeat(bytes))
      peer.acknowledge()
    }
    peer.session.missed(Buffer.from('a'))
    deliver(peer, 'a', 'last')
    peer.acknowledge()
    assert.equal(peer.delivered.length, 4)
    assert.equal(peer.news().at(-2), 'MISSED')
    assert.equal(peer.closed, null)
  })

  test('is in messages below 4 MiB, with the longest of topics', async () => {
    const topic = 't'.repeat(65_535)
    const peer = Peer.configured({ secrets: SECRETS.hmac })
    peer.say(subscribeTo(topic))
    await settled()
    peer.news()
    deliver(peer, topic, Buffer.alloc(8 * 1024 * 1024))
    peer.acknowledge()
    assert.deepEqual(peer.news(), ['part 0', 'part 1', 'part 2'])
    assert.equal(peer.delivered.length, 1)
  })

  test('of 257 parts can be acknowledged, and of more is told as missed', async () => {
    const peer = await subscribed({ secrets: SECRETS.hmac, limits: { partBytesMax: 1 } })
    deliver(peer, 'a', 'x'.repeat(257))
    deliver(peer, 'a', 'x'.repeat(258))
    deliver(peer, 'a', 'y')
    peer.acknowledge()
    assert.deepEqual(peer.news().slice(-3), ['part 256', 'MISSED', 'part 0'])
    assert.equal(peer.closed, null)
  })

  test('is not interrupted by what was missed', async () => {
    const peer = await subscribed()
    deliver(peer, 'a', 'x'.repeat(45))
    peer.session.missed(Buffer.from('a'))
    assert.deepEqual(peer.news(), ['part 0', 'part 1', 'part 2'])
    peer.acknowledge(2)
    assert.deepEqual(peer.news(), ['part 3', 'part 4', 'MISSED'])
  })

  test('that waits is said to, and it is told when none does any more', async () => {
    const peer = await subscribed()
    const told = [10, 10, 10, 500].map((bytes) => deliver(peer, 'a', 'x'.repeat(bytes)))
    assert.deepEqual(told, [true, true, true, false])
    peer.acknowledge(40)
    assert.deepEqual([peer.asked, peer.session.isWaiting], [[], true])
    peer.acknowledge()
    assert.deepEqual([peer.asked, peer.session.isWaiting], [['drained'], false])
    assert.equal(deliver(peer, 'a', 'x'), true)
  })

  test('waits while the peer takes nothing of what it got, and goes on where it does', async () => {
    let isTaking = true
    const peer = await subscribed({
      ports: {
        isTaking() {
          return isTaking
        },
      },
    })
    assert.equal(deliver(peer, 'a', 'first'), true)
    isTaking = false
    assert.equal(deliver(peer, 'a', 'x'.repeat(15)), false)
    peer.session.taken()
    peer.acknowledge()
    assert.deepEqual(peer.delivered, ['a first'])
    isTaking = true
    peer.session.taken()
    assert.deepEqual(peer.delivered, ['a first', `a ${'x'.repeat(15)}`])
    assert.deepEqual(peer.asked, ['drained'])
  })

  test('during which the connection goes is over', async () => {
    for (const bytes of [35, 45]) {
      const peer = await subscribed()
      assert.equal(deliver(peer, 'a', 'x'.repeat(bytes)), false)
      peer.news()
      peer.onReceived = () => peer.session.end()
      peer.acknowledge()
      assert.deepEqual(peer.news(), ['part 3'])
      assert.deepEqual([peer.asked, peer.session.isWaiting], [['unsubscribe =a'], false])
    }
  })

  test('is told to have drained once nothing waits, if something had to', async () => {
    const peer = await subscribed()
    for (let count = 0; count < 3; count++) assert.equal(deliver(peer, 'a', 'x'), true)
    peer.acknowledge()
    assert.deepEqual(peer.asked, [])
    for (let count = 0; count < 4; count++) assert.equal(deliver(peer, 'a', 'x'), count < 3)
    peer.acknowledge()
    assert.deepEqual(peer.asked, ['drained'])
  })

  const [identifier, other] = [Buffer.alloc(4, 2), Buffer.alloc(4, 3)]
  const CONTINUE = { type: 'CONTINUE_RECEIVE', identifier, partId: 0 } as const
  const CONFIRM = { type: 'CONFIRM_RECEIVE', identifier, subscribers: 1 } as const
  const WRONG: Readonly<Record<string, readonly Saying[]>> = {
    'with another identifier': [{ ...CONTINUE, identifier: other }],
    'with no identifier': [{ ...CONTINUE, identifier: Buffer.of() }],
    'of another part': [{ ...CONTINUE, partId: 1 }],
    'of a part that cannot be signed': [{ ...CONTINUE, partId: 256 }],
    'of the whole before its parts': [CONFIRM],
    'of a part twice': [CONTINUE, CONTINUE],
    'of the last part as one of many': [CONTINUE, { ...CONTINUE, partId: 1 }],
    'of the whole with another identifier': [CONTINUE, { ...CONFIRM, identifier: other }],
    'of what was acknowledged': [CONTINUE, CONFIRM, CONFIRM],
  }
  for (const [what, sayings] of Object.entries(WRONG))
    for (const secrets of [SECRETS.none, SECRETS.hmac])
      test(`acknowledged ${what} (${secrets.name}) closes the session`, async () => {
        const peer = await subscribed({ secrets })
        deliver(peer, 'a', 'x'.repeat(15))
        for (const saying of sayings) {
          assert.equal(peer.closed, null)
          peer.say(saying)
        }
        assertClosed(peer, /acknowledged/)
      })

  test('is acknowledged with what these tests take for right', async () => {
    const peer = await subscribed()
    deliver(peer, 'a', 'x'.repeat(15))
    for (const saying of [CONTINUE, CONFIRM]) peer.say(saying)
    assert.equal(peer.closed, null)
  })
})

describe('authorization', () => {
  /** All that a subscriber may say, and what has to be before. */
  const SAYINGS: readonly Saying[] = [
    subscribeTo('b'),
    subscribeToGlob('b*'),
    unsubscribeFrom('a'),
    notify('a', '1'),
    notifyParts('a', Buffer.from('12'), [1, 1])[0]!,
    { type: 'CONTINUE_RECEIVE', identifier: Buffer.alloc(4, 2), partId: 0 },
  ]

  for (const saying of SAYINGS) {
    test(`of ${saying.type} is asked for`, async () => {
      for (const secrets of [SECRETS.token, SECRETS.hmac])
        for (const given of [null, 'Bearer other', 'X-HMAC 1700000000:n:AAAA', undefined]) {
          const peer = await subscribed({ secrets })
          deliver(peer, 'a', 'x'.repeat(15))
          peer.session.receive(peer.write(saying, given))
          await settled()
          if (given === undefined) assert.equal(peer.closed, null)
          else {
            assertClosed(peer, new RegExp(`^${saying.type} is not authorized$`))
            assert.deepEqual(peer.notified, [])
          }
        }
    })

    test(`of ${saying.type} has to be that of the same peer`, async () => {
      const known = [SECRETS.token, SECRETS.hmac]
      const peer = await subscribed({ secrets: SECRETS.hmac, known })
      peer.session.receive(peer.write(saying, 'Bearer btok'))
      assertClosed(peer, /not authorized/)
    })

    test(`of ${saying.type} is not taken twice`, async () => {
      const peer = await subscribed({ secrets: SECRETS.hmac })
      deliver(peer, 'a', 'x'.repeat(15))
      const bytes = peer.write(saying)
      peer.session.receive(bytes)
      assert.equal(peer.closed, null)
      peer.session.receive(bytes)
      assertClosed(peer, /not authorized/)
    })
  }

  test('goes by the place of a message among those that count', async () => {
    const peer = Peer.configured({ secrets: SECRETS.hmac })
    const [first, second] = [peer.write(subscribeTo('a')), peer.write(subscribeTo('b'))]
    peer.session.receive(second)
    assertClosed(peer, /not authorized/)
    const inOrder = Peer.configured({ secrets: SECRETS.hmac })
    for (const bytes of [first, second]) inOrder.session.receive(bytes)
    assert.equal(inOrder.closed, null)
  })

  test('of a later part covers what part 0 has said', async () => {
    const peer = Peer.configured({ secrets: SECRETS.hmac })
    const [part0] = notifyParts('a', Buffer.from('12'), [1, 1])
    peer.say(part0!)
    const elsewhere = Peer.configured({ secrets: SECRETS.hmac })
    const [other0, other1] = notifyParts('b', Buffer.from('12'), [1, 1])
    elsewhere.say(other0!)
    peer.session.receive(elsewhere.write(other1!))
    assertClosed(peer, /not authorized/)
  })
})

describe('bytes that are no message', () => {
  test('close the session', () => {
    for (const bytes of [Buffer.of(), Buffer.of(0, 1, 0, 99), Buffer.from('{"type":"hello"}')]) {
      for (const peer of [new Peer(), Peer.configured()]) {
        peer.session.receive(bytes)
        assert.notEqual(peer.closed, null)
        assert.equal(peer.say(CONFIGURE), true)
      }
    }
  })

  test('and messages that make no sense do nothing but close it', async () => {
    const saying = fc.oneof(
      fc.constantFrom<Saying>(
        CONFIGURE,
        subscribeTo('a'),
        unsubscribeFrom('a'),
        subscribeToGlob('[a-'),
        unsubscribeFromGlob('[a-'),
        notify('a', 'hello'),
        ...notifyParts('a', Buffer.from('0123456789'), [3, 3, 4]),
        {
          type: 'NOTIFY_STREAM',
          identifier: Buffer.of(),
          partId: 0,
          content: contentOf('a', Buffer.of()),
          body: Buffer.of(),
        },
      ),
    )
    const step = fc.oneof(
      fc.record({
        what: fc.constant('say' as const),
        saying,
        cut: seldom(200),
        flip: seldom(400),
      }),
      fc.record({ what: fc.constant('bytes' as const), bytes: fc.uint8Array({ maxLength: 60 }) }),
      fc.record({ what: fc.constant('deliver' as const), bytes: fc.nat(60) }),
      fc.record({ what: fc.constant('acknowledge' as const), parts: fc.nat(4) }),
      fc.record({ what: fc.constantFrom('settle' as const, 'missed' as const) }),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.values(SECRETS)),
        fc.array(step, { maxLength: 25 }),
        async (secrets, steps) => {
          const peer = new Peer({ secrets, limits: { partBytesMax: 10 } })
          if (steps.length % 5 > 0) peer.say(CONFIGURE)
          for (const each of steps) {
            // What a peer has to say after it was closed is of no interest: the transport listens no more.
            if (peer.closed !== null) break
            if (each.what === 'say') {
              const bytes = peer.write(each.saying)
              if (each.flip !== null) bytes[each.flip % bytes.length]! ^= 0x11
              peer.session.receive(bytes.subarray(0, each.cut ?? bytes.length))
            } else if (each.what === 'bytes') peer.session.receive(each.bytes)
            else if (each.what === 'deliver') deliver(peer, 'a', 'x'.repeat(each.bytes))
            else if (each.what === 'acknowledge') peer.acknowledge(each.parts)
            else if (each.what === 'missed') peer.session.missed(Buffer.from('a'))
            else await settled()
          }
          await settled()
          assert.equal(peer.closed?.cause, undefined, 'that is our own mistake')
          peer.session.end()
          const [subscribes, unsubscribes] = ['subscribe ', 'unsubscribe '].map(
            (prefix) => peer.asked.filter((each) => each.startsWith(prefix)).length,
          )
          assert.equal(subscribes, unsubscribes)
        },
      ),
      { numRuns: 300 },
    )
  })
})

function seldom(max: number): fc.Arbitrary<number | null> {
  return fc.oneof(
    { weight: 8, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.nat(max) },
  )
}
