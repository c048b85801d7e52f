import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { EventEncoder, type Audience, type Batch, type LiveMember } from '../../src/hub/audience.ts'
import type { Cursor, Position, PublishedEvent } from '../../src/hub/event.ts'
import type { Sink } from '../../src/hub/encoding.ts'
import type { Rights } from '../../src/hub/rights.ts'
import type { DirectSend } from '../../src/sockets/direct-send.ts'
import { DescriptorFanOut } from '../../src/sockets/fan-out.ts'
import { PLAIN } from './recording-sink.ts'
import { testAudience } from './test-audience.ts'

/** Takes what its audience delivers, and may leave it then, as one does that falls behind. */
class Member implements LiveMember {
  seat = -1
  descriptor: number
  /** The fan-out of this test looks at nothing else of it. */
  readonly directSink = this as unknown as Sink
  text = ''
  deliveries = 0
  onDeliver = () => {}

  constructor(descriptor = -1) {
    this.descriptor = descriptor
  }

  fail(_doing: string, error: unknown): void {
    throw error
  }

  endAt(): void {}

  deliver(batch: Batch, sentBytes: number): void {
    this.deliveries++
    this.text += Buffer.from(batch.bytes).subarray(sentBytes).toString()
    this.onDeliver()
  }
}

test('whoever joins and leaves between rounds, each gets exactly the rounds of its time, in order and once', () => {
  const operation = fc.oneof(
    fc.record({ type: fc.constant('join' as const), isDirect: fc.boolean() }),
    fc.record({ type: fc.constant('leave' as const), which: fc.nat() }),
    fc.record({ type: fc.constant('written' as const), which: fc.nat(), isFull: fc.boolean() }),
    fc.record({ type: fc.constant('round' as const), events: fc.nat(3) }),
  )
  fc.assert(
    fc.property(
      fc.array(operation, { maxLength: 40, size: 'max' }),
      fc.nat(12),
      (operations, takenAtOnce) => {
        const byDescriptor = new Map<number, Member>()
        const send: DirectSend = (descriptor, bytes) => {
          const taken = bytes.subarray(0, takenAtOnce)
          byDescriptor.get(descriptor)!.text += Buffer.from(taken).toString()
          return taken.length
        }
        const fanOut = new DescriptorFanOut(send, (sink) => (sink as unknown as Member).descriptor)
        const audience = testAudience({ fanOut })
        const live: { member: Member; due: string }[] = []
        const gone: { member: Member; due: string }[] = []
        let next = 1
        for (const each of operations) {
          if (each.type === 'join') {
            const member = new Member(each.isDirect ? byDescriptor.size + 1 : -1)
            if (each.isDirect) byDescriptor.set(member.descriptor, member)
            audience.join(member)
            live.push({ member, due: '' })
          } else if (each.type === 'round') {
            const events = Array.from({ length: each.events }, () => eventOf(next++))
            gather(audience, events)
            for (const event of events)
              for (const entry of live) entry.due += Buffer.from(PLAIN.event(event)).toString()
            audience.flush()
          } else if (live.length > 0) {
            const at = each.which % live.length
            const { member } = live[at]!
            if (each.type === 'leave') {
              audience.leave(member)
              gone.push(...live.splice(at, 1))
            } else {
              // While it has something queued it cannot be sent to by its descriptor.
              const known = [...byDescriptor].find(([, other]) => other === member)?.[0] ?? -1
              member.descriptor = each.isFull ? -1 : known
              audience.written(member)
            }
          }
          for (const { member, due } of [...live, ...gone]) assert.equal(member.text, due)
        }
      },
    ),
  )
})

test('who leaves while a round is delivered has had it, and nobody else misses it or gets it twice', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }), (leaving) => {
      const audience = testAudience()
      const members = leaving.map((isLeaving) => {
        const member = new Member()
        if (isLeaving) member.onDeliver = () => audience.leave(member)
        audience.join(member)
        return member
      })
      for (const n of [1, 2]) {
        gather(audience, [eventOf(n)])
        audience.flush()
      }
      assert.deepEqual(
        members.map(({ deliveries }) => deliveries),
        leaving.map((isLeaving) => (isLeaving ? 1 : 2)),
      )
    }),
  )
})

test('a round is one buffer for all, and knows its place and the bytes of each event', () => {
  const audience = testAudience()
  const batches: Batch[] = []
  const keep = (batch: Batch) => void batches.push(batch)
  for (let n = 0; n < 2; n++) audience.join(Object.assign(new Member(), { deliver: keep }))
  assert.deepEqual(gather(audience, [eventOf(7), eventOf(8)]), [true, false])
  audience.flush()
  const [one, two] = batches
  assert.equal(one!.bytes, two!.bytes)
  assert.equal(one!.before, 6)
  assert.deepEqual(
    one!.events.map(({ position }) => position),
    [7, 8],
  )
  assert.deepEqual(Buffer.concat(one!.frames), Buffer.from(one!.bytes))
  audience.flush()
  assert.equal(batches.length, 2)
})

test('a great round goes out in pieces, none of them larger than an event or a quarter of a MiB', () => {
  const audience = testAudience()
  const sizes: number[] = []
  const measure = ({ bytes, events }: Batch) => {
    assert.ok(bytes.length <= 262_144 || events.length === 1)
    sizes.push(events.length)
  }
  audience.join(Object.assign(new Member(), { deliver: measure }))
  const lengths = [100_000, 100_000, 100_000, 300_000, 10, 10]
  const isFirst = gather(
    audience,
    lengths.map((length) => eventOf(1, { length })),
  )
  audience.flush()
  assert.deepEqual(sizes, [2, 1, 1, 2])
  // It need be flushed once for all of them.
  assert.deepEqual(isFirst, [true, false, false, false, false, false])
})

test('nothing is encoded where nobody is live, and an event that may not be seen is not gathered', () => {
  const rights: Rights = { key: 'r', seesNothing: false, maySee: ({ path }) => path === '/2' }
  const audience = testAudience({ rights })
  assert.deepEqual(gather(audience, [eventOf(1)]), [false])
  const member = new Member()
  audience.join(member)
  audience.flush()
  gather(audience, [...[1, 2, 3].map((n) => eventOf(n, { isPrivate: true })), eventOf(4)])
  audience.flush()
  assert.equal(member.text, '/2 \n/4 \n')
})

test('audiences that share an encoder encode an event once', () => {
  let encoded = 0
  const encoder = new EventEncoder({
    ...PLAIN,
    event(event) {
      encoded++
      return PLAIN.event(event)
    },
  })
  const audiences = [1, 2].map((id) => testAudience({ encoder, id }))
  for (const audience of audiences) audience.join(new Member())
  for (const n of [1, 2]) {
    const event = eventOf(n)
    for (const audience of audiences) gather(audience, [event])
  }
  assert.equal(encoded, 2)
})

test('an event that cannot be encoded leaves nothing of it behind: the next one is the first of its round', () => {
  const encoder = new EventEncoder({
    ...PLAIN,
    event(event) {
      if (event.position === 1) throw new Error('cannot')
      return PLAIN.event(event)
    },
  })
  const audience = testAudience({ encoder })
  const member = new Member()
  audience.join(member)
  assert.throws(() => gather(audience, [eventOf(1)]), /cannot/)
  assert.deepEqual(gather(audience, [eventOf(2)]), [true])
  audience.flush()
  assert.equal(member.text, Buffer.from(PLAIN.event(eventOf(2))).toString())
})

/** All events of a round. */
function gather(audience: Audience, events: readonly PublishedEvent[]): boolean[] {
  return events.map((event) => audience.gather(event, { events, isCounted: false }))
}

function eventOf(n: number, { length = 0, isPrivate = false } = {}): PublishedEvent {
  return {
    position: n as Position,
    cursor: `${n}` as Cursor,
    publishedAtMs: n,
    topics: [],
    isPrivate,
    path: `/${n}`,
    payload: { type: 'json-object', text: 'x'.repeat(length) },
  }
}
