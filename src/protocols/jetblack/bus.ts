import type { SharedEncoding } from '../../hub/encoding.ts'
import type { PublishedEvent } from '../../hub/event.ts'
import type { Envelope } from '../../publication/envelope.ts'
import { inLaterTurn, isTurnSpent } from '../../ops/turn-budget.ts'
import { ADMIN, HEARTBEAT } from './admin.ts'
import { ByPair } from './by-pair.ts'
import { encoded } from './encoder.ts'
import type { ClientId, ServerMessage, Wire } from './messages.ts'
import type { Allowed } from './settings.ts'
import { keyOfEntitled, visiblePackets, type Entitled } from './entitlements.ts'
import { eventOf, staleNotice, type JetblackEvent, type Pair } from './publication.ts'

/** A connection, as the others know it. */
export interface Member {
  readonly id: ClientId
  readonly user: string
  readonly host: string
  readonly wire: Wire
  /** Behind all that was delivered before. */
  send(bytes: Buffer): void
  /** What its peer has not taken yet. */
  readonly queuedBytes: number
  /** What it may see of a pair is another part from now on. */
  entitlementsChanged(): void
}

/**
 * What the connections of all ports have in common: who is subscribed to what, who hears of that, and whose the publications are
 * (dossier 4). All of it is of this process, and ends with the connections.
 */
export class Bus {
  readonly #members = new Map<ClientId, Member>()
  readonly #byUser = new Map<string, Set<Member>>()
  readonly #records = new Map<Member, MemberRecord>()
  readonly #subscribers = new ByPair<Set<Member>>()
  readonly #notified = new Map<string, Set<Hearer>>()
  /** Whose publications have reached somebody. */
  readonly #publishers = new ByPair<Set<Member>>()
  /** The last event that somebody got: a round goes through one after the other. */
  #last: { readonly event: PublishedEvent; readonly opened: Opened } | null = null
  /** Of publications that are being stored, so that they need not be opened for those who are live. */
  readonly #underWay = new Map<Envelope, JetblackEvent>()

  readonly #entitlementsOf: (feed: string) => readonly number[] | null

  /** `entitlementsOf`: of what comes by another door. */
  constructor(entitlementsOf: (feed: string) => readonly number[] | null) {
    this.#entitlementsOf = entitlementsOf
  }

  memberOf(id: ClientId): Member | undefined {
    return this.#members.get(id)
  }

  /** Those who are one of these users. */
  membersOf(users: Allowed): readonly Member[] {
    if (users === 'any') return [...this.#members.values()]
    return users.flatMap((user) => [...(this.#byUser.get(user) ?? [])])
  }

  /** From now on it sees what these entitlements let see. */
  entitle(member: Member, pair: Pair, entitled: Entitled): void {
    this.#records.get(member)!.entitled.set(pair, entitled)
    member.entitlementsChanged()
  }

  /** Whether somebody has said what it may see of a pair. */
  isEntitled(member: Member, pair: Pair): boolean {
    return this.#records.get(member)?.entitled.get(pair) !== undefined
  }

  enter(member: Member): void {
    this.#members.set(member.id, member)
    const { user } = member
    this.#byUser.set(user, (this.#byUser.get(user) ?? new Set<Member>()).add(member))
    this.#records.set(member, new MemberRecord())
  }

  /** Its end, in the order in which the others are told of it (dossier 4.9); of much in later turns. */
  leave(member: Member): void {
    const record = this.#records.get(member)!
    this.#members.delete(member.id)
    this.#records.delete(member)
    const others = this.#byUser.get(member.user)!
    others.delete(member)
    if (others.size === 0) this.#byUser.delete(member.user)
    for (const hearer of record.heard.values()) this.#removeHearer(hearer)
    inSteps(this.#leaving(member, record))
  }

  *#leaving(member: Member, { published, subscribed }: MemberRecord): Generator<void, void> {
    for (const [pair] of published) {
      const publishers = this.#publishers.get(pair)!
      publishers.delete(member)
      if (publishers.size > 0) continue
      this.#publishers.delete(pair)
      this.#sendToSubscribers(pair, staleNotice(pair))
      yield
    }
    for (const [feed, topics] of subscribed.feeds()) {
      let gone: string[] = []
      for (const topic of topics.keys()) {
        this.#removeSubscriber(member, { feed, topic })
        gone.push(topic)
        if (gone.length < NOTICES_AT_ONCE) continue
        this.#notify(member, feed, gone, false)
        gone = []
        yield
      }
      this.#notify(member, feed, gone, false)
    }
  }

  subscribe(member: Member, pair: Pair): void {
    this.#subscribers.getOrMake(pair, () => new Set()).add(member)
    const { subscribed } = this.#records.get(member)!
    subscribed.set(pair, (subscribed.get(pair) ?? 0) + 1)
    this.#notify(member, pair.feed, [pair.topic], true)
  }

  /** Returns whether it was the last time. Whoever hears of subscriptions hears of it in any case. */
  unsubscribe(member: Member, pair: Pair): boolean {
    const { subscribed } = this.#records.get(member)!
    const count = subscribed.get(pair) ?? 0
    if (count > 1) subscribed.set(pair, count - 1)
    else if (count === 1) {
      subscribed.delete(pair)
      this.#removeSubscriber(member, pair)
    }
    this.#notify(member, pair.feed, [pair.topic], false)
    return count === 1
  }

  /** From now on it hears of each subscription to the feed, and at once of those that there are. */
  hear(member: Member, feed: string): void {
    const { heard } = this.#records.get(member)!
    if (heard.has(feed)) return
    const untold = new Set(this.#subscribers.topicsOf(feed).keys())
    const hearer: Hearer = { member, feed, untold, isGone: false }
    heard.set(feed, hearer)
    let hearers = this.#notified.get(feed)
    if (hearers === undefined) this.#notified.set(feed, (hearers = new Set<Hearer>()))
    hearers.add(hearer)
    inSteps(this.#telling(hearer))
  }

  /** It is told of what there is when its topic has its turn; of changes to topics that are still to come it is not told before. */
  *#telling(hearer: Hearer): Generator<number | void, void> {
    const { member, feed, untold } = hearer
    let notices: Buffer[] = []
    for (const topic of untold) {
      if (hearer.isGone) return
      untold.delete(topic)
      for (const subscriber of this.#subscribers.get({ feed, topic }) ?? [])
        notices.push(notification(subscriber, { feed, topic }, true))
      if (notices.length < NOTICES_AT_ONCE) continue
      member.send(Buffer.concat(notices))
      notices = []
      // It is not closed for what it has not asked to get so fast.
      while (member.queuedBytes > 0 && !hearer.isGone) yield WAIT_MS
      yield
    }
    if (notices.length > 0) member.send(Buffer.concat(notices))
  }

  ignore(member: Member, feed: string): void {
    const { heard } = this.#records.get(member)!
    const hearer = heard.get(feed)
    if (hearer === undefined) return
    heard.delete(feed)
    this.#removeHearer(hearer)
  }

  /** To one client. Returns whether it is subscribed: else nothing is sent. */
  sendTo(
    id: ClientId,
    from: Member,
    message: ServerMessage & { readonly type: 'unicast' },
  ): boolean {
    const member = this.#members.get(id)
    if (member === undefined || this.#records.get(member)!.subscribed.get(message) === undefined)
      return false
    this.#remember(from, message)
    const packets = visiblePackets(message.packets, this.#entitledOf(member, message))
    member.send(encoded({ ...message, packets }, member.wire))
    return true
  }

  /**
   * The form of events for all who are subscribed to this pair alone, and see the same of it. At its path another pair may be, too, as a feed
   * may have a slash in its name.
   */
  encodingOfPair({ feed, topic }: Pair, member: Member): SharedEncoding {
    const { wire } = member
    const entitled = this.#entitledOf(member, { feed, topic })
    return encodingOf(
      `jetblack ${wire} ${JSON.stringify([feed, topic])}${keyOfEntitled(entitled)}`,
      (event) => {
        const opened = this.#open(event)
        const isIt = opened.event.feed === feed && opened.event.topic === topic
        return isIt ? this.#bytesOf(opened, wire, entitled) : NOTHING
      },
    )
  }

  /** The form of events for one who is subscribed to several. */
  encodingOfMember(member: Member): SharedEncoding {
    return encodingOf(`jetblack member ${member.id}`, (event) => {
      const opened = this.#open(event)
      if (this.#records.get(member)?.subscribed.get(opened.event) === undefined) return NOTHING
      return this.#bytesOf(opened, member.wire, this.#entitledOf(member, opened.event))
    })
  }

  isSubscribed(member: Member, pair: Pair): boolean {
    return this.#records.get(member)?.subscribed.get(pair) !== undefined
  }

  /** The event as an image for one who is subscribed to a pair, and gets it by that. `null`: it is of another pair at the same path. */
  imageOf({ feed, topic }: Pair, event: PublishedEvent, member: Member): Buffer | null {
    const opened = this.#open(event)
    if (opened.event.feed !== feed || opened.event.topic !== topic) return null
    this.#rememberPublisher(opened.event)
    const { mark, ...rest } = opened.event
    const packets = visiblePackets(rest.packets, this.#entitledOf(member, rest))
    const image = typeof mark === 'boolean' ? true : mark
    return encoded(
      { type: 'unicast', ...rest, clientId: member.id, mark: image, packets },
      member.wire,
    )
  }

  /** It is being stored, until that is disposed of. */
  publishing(envelope: Envelope, event: JetblackEvent): Disposable {
    this.#underWay.set(envelope, event)
    return { [Symbol.dispose]: () => this.#underWay.delete(envelope) }
  }

  /** As it was published. */
  feedOf(event: PublishedEvent): string {
    return this.#open(event).event.feed
  }

  beat(): void {
    const pair = { feed: ADMIN, topic: HEARTBEAT }
    const message = { user: 'admin', host: 'localhost', mark: true, packets: null }
    this.#sendToSubscribers(pair, { type: 'multicast', ...pair, ...message })
  }

  #entitledOf(member: Member, pair: Pair): Entitled {
    return this.#records.get(member)?.entitled.get(pair) ?? null
  }

  #open(event: PublishedEvent): Opened {
    if (this.#last?.event === event) return this.#last.opened
    const known = event.envelope === undefined ? undefined : this.#underWay.get(event.envelope)
    const opened = { event: known ?? eventOf(event, this.#entitlementsOf), bytes: new Map() }
    // One may have many packets, and they are not held for longer than they are of use.
    if (this.#last === null) setImmediate(() => (this.#last = null))
    this.#last = { event, opened }
    return opened
  }

  /** Somebody gets it by that, so its publisher is remembered. */
  #bytesOf({ event, bytes: known }: Opened, wire: Wire, entitled: Entitled): Buffer {
    if (known.size === 0) this.#rememberPublisher(event)
    const key = `${wire}${keyOfEntitled(entitled)}`
    let bytes = known.get(key)
    if (bytes === undefined) {
      const packets = visiblePackets(event.packets, entitled)
      bytes = encoded({ type: 'multicast', ...event, packets }, wire)
      known.set(key, bytes)
    }
    return bytes
  }

  /** It may have gone, or have come by another door. */
  #rememberPublisher(event: JetblackEvent): void {
    const publisher = event.publisher === null ? undefined : this.#members.get(event.publisher)
    if (publisher !== undefined) this.#remember(publisher, event)
  }

  #remember(publisher: Member, { feed, topic }: Pair): void {
    this.#publishers.getOrMake({ feed, topic }, () => new Set()).add(publisher)
    this.#records.get(publisher)!.published.set({ feed, topic }, true)
  }

  #removeSubscriber(member: Member, pair: Pair): void {
    const subscribers = this.#subscribers.get(pair)!
    subscribers.delete(member)
    if (subscribers.size === 0) this.#subscribers.delete(pair)
  }

  #removeHearer(hearer: Hearer): void {
    hearer.isGone = true
    const hearers = this.#notified.get(hearer.feed)!
    hearers.delete(hearer)
    if (hearers.size === 0) this.#notified.delete(hearer.feed)
  }

  #notify(subscriber: Member, feed: string, topics: readonly string[], isAdd: boolean): void {
    const hearers = this.#notified.get(feed)
    if (hearers === undefined || topics.length === 0) return
    const notices = topics.map((topic) => notification(subscriber, { feed, topic }, isAdd))
    const all = notices.length === 1 ? notices[0]! : Buffer.concat(notices)
    for (const { member, untold } of hearers) {
      if (untold.size === 0) member.send(all)
      else {
        const due = notices.filter((_, n) => !untold.has(topics[n]!))
        if (due.length > 0) member.send(Buffer.concat(due))
      }
    }
  }

  #sendToSubscribers(pair: Pair, message: ServerMessage): void {
    const byWire = new Map<Wire, Buffer>()
    for (const member of this.#subscribers.get(pair) ?? []) {
      const bytes = byWire.get(member.wire) ?? encoded(message, member.wire)
      byWire.set(member.wire, bytes)
      member.send(bytes)
    }
  }
}

/** An event as its publisher wrote it, and its bytes for all who get the same. */
interface Opened {
  readonly event: JetblackEvent
  readonly bytes: Map<string, Buffer>
}

/** The protocol has no word for anything but events: whoever would miss one is closed. */
function encodingOf(key: string, event: (event: PublishedEvent) => Uint8Array): SharedEncoding {
  return { key, event, keepAlive: () => NOTHING, gap: () => null, closing: () => NOTHING }
}

const NOTHING = Buffer.alloc(0)

/** What one connection has, so that its end costs as much as that is. */
class MemberRecord {
  /** The feeds whose subscriptions it hears of. */
  readonly heard = new Map<string, Hearer>()
  readonly published = new ByPair<true>()
  /** How often it has asked for each. */
  readonly subscribed = new ByPair<number>()
  /** Of pairs whose feed has authorisers. */
  readonly entitled = new ByPair<Entitled>()
}

/** Who hears of the subscriptions to a feed. */
interface Hearer {
  readonly member: Member
  readonly feed: string
  /** Topics that there were when it asked, and of which it is not told yet. */
  readonly untold: Set<string>
  isGone: boolean
}

/** The same on both wires. */
function notification({ id, user, host }: Member, pair: Pair, isAdd: boolean): Buffer {
  return encoded({ type: 'subscription', user, host, clientId: id, ...pair, isAdd }, 'is-image')
}

/** As much at once as a turn has room for. A step that gives a number of ms is gone on with after so long. */
function inSteps(steps: Generator<number | void, void>): void {
  for (;;) {
    const { done, value: waitMs } = steps.next()
    if (done === true) return
    if (waitMs !== undefined) return void setTimeout(() => inSteps(steps), waitMs).unref()
    if (isTurnSpent()) return inLaterTurn(() => inSteps(steps))
  }
}

/** Some 100 µs. */
const NOTICES_AT_ONCE = 64

const WAIT_MS = 10
