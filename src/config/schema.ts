import { ldap } from './ldap.ts'
import { JETBLACK_SECTION } from '../protocols/jetblack/settings.ts'
import { LONELYPS_SECTION } from '../protocols/lonelyps/settings.ts'
import { describePlace, refuse, shown, type Place } from '../settings/place.ts'
import {
  judged,
  optional,
  required,
  section,
  sectionReader,
  setting,
  type Setting,
} from '../settings/section.ts'
import { tls } from '../settings/tls.ts'
import {
  anyText,
  bytes,
  duration,
  integer,
  list,
  oneOf,
  placedText,
  text,
} from '../settings/values.ts'
import type { YamlNode } from '../settings/yaml-node.ts'

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

/** Longest time a timer of Node can wait, in whole days and ms. */
const TIMER_MS_MAX = 24 * 86_400_000

/** 100 years, in ms: any longer is surely a mistake. */
const AGE_MS_MAX = 36_500 * 86_400_000

const serverSection = sectionReader({
  /** Every IPv4 interface, as PyPubSub. */
  bind: setting('bind', '0.0.0.0', text),
  /** PyPubSub's. 0 takes any free port. */
  port: setting('port', 2069, integer(0, 65_535)),
  /** PyPubSub's: 100 KiB of request body hold any commit or mail notice. The whole body is held in memory. */
  payloadBytesMax: setting('max_payload_size', 100 * KIB, bytes(1, 64 * MIB)),
  /** HTTPS on a second port. Off: it needs a certificate. */
  tls: optional('tls', tls),
  backlog: keepingSomething(
    section('backlog', {
      /** Events kept for replay. 0 switches replay off, as PyPubSub does unless told otherwise. */
      eventsMax: setting('size', 0, integer(0, 100_000_000)),
      /** Older events are not replayed. 0: no limit, as PyPubSub. */
      maxAgeMs: setting('max_age', 0, duration(0, AGE_MS_MAX)),
      /** What kept events may take, in memory or on disk: a machine with 1 GiB can spare a quarter. */
      bytesMax: setting('max_bytes', 256 * MIB, bytes(64 * KIB, 1024 * GIB)),
      /** Where events are kept on disk, with `.pubsubd` behind it. None: in memory, until the process ends, as PyPubSub. */
      storage: optional('storage', text),
      /** What a 202 means: flushed to the disk, or handed to the operating system. Disk: a 202 is a promise. */
      durability: setting('durability', 'disk', oneOf('disk', 'os')),
      /** With less than this free on the disk nobody may publish: deleting old events needs room, too. */
      reserveBytes: setting('reserve_bytes', 64 * MIB, bytes(0, 1024 * GIB)),
    }),
  ),
  /**
   * Window in which streams are asked to come back after a stop at most; it grows by 2 ms for each of them. 30 s are enough for
   * 15,000, and nobody who looks at a page waits longer.
   */
  drainWindowMs: setting('drain_window', 30_000, duration(0, 3_600_000)),
  /** File that holds the process id while the server runs. None: service managers know it already. */
  pidFile: optional('pid_file', text),
  /** Names by which browsers reach us, in lower case. None: our own pages work by address and as localhost. */
  hostnames: setting('hostnames', [], list(hostname)),
  cors: section('cors', {
    /** Pages of other origins that may use this server; `*`: all may read what is public. None: only the operator knows which. */
    origins: setting('origins', [], origins),
  }),
})

const server = judged(serverSection, (settings, place) => {
  if (settings.tls !== null && settings.tls.port === settings.port && settings.port !== 0)
    refuse(place, `has the same port ${settings.port} twice; tls.port must be another one`)
  return settings
})

const clientsSection = sectionReader({
  /** Addresses that may publish. None: nobody, as only the operator knows who should. */
  payloaders: setting('payloaders', [], list(placedText)),
  /** Parts of `User-Agent` whose streams get a NUL after every newline. None: only very old clients want it. */
  oldschoolers: setting('oldschoolers', [], list(oldSchoolClient)),
  /** Topics only named users may publish to. None, as PyPubSub. */
  secureTopics: setting('secure_topics', [], secureTopics),
  /** What a wrong login is: anonymous, for compatibility, or refused with 401. */
  badCredentials: setting('bad_credentials', 'anonymous', oneOf('anonymous', 'reject')),
  /** Addresses whose forwarded headers are believed. None: anybody can write such headers. */
  trustProxy: setting('trust_proxy', [], list(placedText)),
  /** Logins that the ACL file does not know. Off: it needs a directory. */
  ldap: optional('ldap', ldap),
})

const limitsSection = withSharesThatWork(
  section('limits', {
    /** Maps and lists within each other in a payload. Python's parser, and so every old listener, fails from about 980. */
    jsonDepthMax: setting('json_depth', 900, integer(1, 5_000)),
    /** Body of one batch, whose events each have `max_payload_size`: 10,000 events of some hundred bytes. */
    batchBytesMax: setting('batch_bytes', 8 * MIB, bytes(KIB, 64 * MIB)),
    /** Events in one batch: its commit, some 50 ms, holds up everybody else's. */
    batchEventsMax: setting('batch_events', 10_000, integer(1, 1_000_000)),
    /** How long an Idempotency-Key is remembered: whoever was cut off tries again within a day. */
    keyWindowMs: setting('idempotency_window', 86_400_000, duration(1_000, AGE_MS_MAX)),
    /** Keys remembered, about 400 bytes of memory each. Beyond them the oldest goes: refusing would stop everybody. */
    keysMax: setting('idempotency_keys', 100_000, integer(1, 10_000_000)),
    /**
     * Request line and headers, in bytes: 64 KiB hold any path that other servers would pass on. The maxima of this and the next
     * two are what still takes a few ms of one turn (test/hostile/raised-limits.test.ts).
     */
    headBytesMax: setting('head_bytes', 64 * KIB, bytes(KIB, 256 * KIB)),
    /** Topics in one path or topic filter: more than a request head holds of useful length. */
    topicsMax: setting('topics', 4_096, integer(1, 8_192)),
    /** Topic filters (comma groups) in one subscription. */
    topicFiltersMax: setting('topic_filters', 4_096, integer(1, 4_096)),
    /** Topic filters of all open streams together, equal subscriptions counted once: about 100 MiB of index. */
    topicFiltersTotalMax: setting('topic_filters_total', 1_000_000, integer(1, 100_000_000)),
    /** Characters of a `?where=` expression: a screenful. It is read again and again, by people too. */
    whereLengthMax: setting('where_length', 1_024, integer(1, 4_096)),
    /**
     * Steps that one evaluation of a `?where=` expression may take, of about 50 ns: a loop over 2,000 members. At the very
     * worst nothing else happens for 1.5 ms. Small events get fewer.
     */
    whereStepsMax: setting('where_cost', 10_000, integer(100, 10_000_000)),
    /**
     * Different `?where=` and `?without=` of all open streams: each is asked about each event. A thousand take a quarter of a
     * core at 1,000 events/s.
     */
    conditionsMax: setting('conditions', 1_000, integer(1, 1_000_000)),
    /** Events that a stream may be told to end after (`?count=`): whoever wants more needs no end. */
    countMax: setting('count', 1_000_000, integer(1, 1_000_000_000)),
    /** Time that a stream may be told to end after (`?timeout=`): nothing is sent while it waits, and proxies give up sooner. */
    timeoutMsMax: setting('timeout', 3_600_000, duration(100, TIMER_MS_MAX)),
    /**
     * Open streams of one user, or of one address (IPv6: a /64) without a login. 0, as for the next two: as many as are left for
     * all others, so that nobody takes everything and a site with few clients need not know of it.
     */
    streamsPerAddressMax: setting('streams_per_address', 0, integer(0, 10_000_000)),
    /** Likewise of `conditions`. */
    conditionsPerAddressMax: setting('conditions_per_address', 0, integer(0, 1_000_000)),
    /** Likewise of `topic_filters_total`; of filters with several topics each topic counts, as it takes as much. */
    topicFiltersPerAddressMax: setting('topic_filters_per_address', 0, integer(0, 100_000_000)),
    /** Unsent bytes of one subscriber: a second of a busy stream. One event larger than that still passes alone. */
    queueBytesMax: setting('queue_bytes', MIB, bytes(KIB, GIB)),
    /**
     * Time in which a subscriber's peer takes no byte until it is closed. The kernel reports progress late: a reader that
     * steadily takes 30 KB/s was seen to look motionless for 47 s.
     */
    stallTimeoutMs: setting('stall_timeout', 300_000, duration(100, TIMER_MS_MAX)),
    /** Time for a request line and headers to arrive: slow mobile links need a few seconds. */
    headTimeoutMs: setting('head_timeout', 20_000, duration(100, TIMER_MS_MAX)),
    /** Time for a whole request to arrive: 100 KiB at 2 KB/s. */
    requestTimeoutMs: setting('request_timeout', 60_000, duration(100, TIMER_MS_MAX)),
    /**
     * Longest wait of a log-in after others have failed from its address, or by its name there; beyond it the log-in is not
     * judged. 0: none waits. With the time of the refusal it stays below the 5 s in which PyPubSub's clients have their stream.
     */
    loginDelayMsMax: setting('login_delay', 4_000, duration(0, 4_000)),
    /** Time until a refused log-in is answered, whatever it is refused for: a directory needs some 10 to 100 ms to say no. */
    loginRefusalMs: setting('login_refusal', 500, duration(0, 900)),
    /**
     * Log-ins that wait for a connection to the LDAP directory: more would not be answered in time, as one takes some 10 ms.
     * Addresses (IPv6: a /64) take turns, and when there are too many, the address with the most gives way.
     */
    waitingLoginsMax: setting('waiting_logins', 1_000, integer(1, 10_000)),
    /** Open connections of all ports. 0: what the limit of open files leaves beside store, directory and webhooks. */
    connectionsMax: setting('connections', 0, integer(0, 10_000_000)),
  }),
)

/**
 * Every setting: its key in `pubsub.yaml`, its default, its type and range, and why the default is what it is.
 * Numbers without a unit are counts.
 */
export const SETTINGS = section('', {
  server: required('server', server),
  clients: required('clients', clientsSection),
  log: section('log', {
    /** Lines of text or of JSON. On a terminal somebody reads them; anything else is a program. */
    format: setting('format', 'auto', oneOf('auto', 'text', 'json')),
    /** What is less than this is not written. */
    level: setting('level', 'info', oneOf('info', 'warn', 'error')),
  }),
  limits: limitsSection,
  /** Each is off until its section is there: HTTP needs no other. */
  protocols: section('protocols', {
    lonelyps: LONELYPS_SECTION,
    jetblack: JETBLACK_SECTION,
  }),
  sqs: notYetServed(
    'sqs',
    'nothing is fetched from its queues, and their messages stay there until they expire; ' +
      'the README, "Coming from PyPubSub", says how PyPubSub can go on fetching them for this server',
  ),
})

export type Settings = ReturnType<typeof SETTINGS.read>

/** PyPubSub ships a storage with a size of 0, in which it keeps nothing either. */
function keepingSomething<
  T extends { readonly eventsMax: number; readonly storage: string | null },
>(backlog: Setting<T>): Setting<T> {
  return {
    ...backlog,
    read(node, place) {
      const settings = backlog.read(node, place)
      if (settings.storage !== null && settings.eventsMax === 0)
        place.warnings.add(
          `${describePlace(place)} has a storage that keeps nothing, as size is 0: no event can be replayed and none is ` +
            'imported until size says how many shall be kept',
        )
      return settings
    },
  }
}

/** A share of all that is more than all, or too small for what one request may ask for. */
function withSharesThatWork<
  T extends {
    readonly topicFiltersMax: number
    readonly topicFiltersTotalMax: number
    readonly topicFiltersPerAddressMax: number
    readonly conditionsMax: number
    readonly conditionsPerAddressMax: number
  },
>(limits: Setting<T>): Setting<T> {
  return {
    ...limits,
    read(node, place) {
      const settings = limits.read(node, place)
      const warn = (what: string) => place.warnings.add(`${describePlace(place)} has ${what}`)
      const { topicFiltersMax, topicFiltersTotalMax, topicFiltersPerAddressMax } = settings
      const { conditionsMax, conditionsPerAddressMax } = settings
      if (conditionsPerAddressMax > conditionsMax)
        warn(
          `conditions_per_address ${conditionsPerAddressMax} and conditions ${conditionsMax}: ` +
            'one address can keep all others from them',
        )
      if (topicFiltersPerAddressMax > topicFiltersTotalMax)
        warn(
          `topic_filters_per_address ${topicFiltersPerAddressMax} and topic_filters_total ${topicFiltersTotalMax}: ` +
            'one address can keep all others from them',
        )
      if (topicFiltersPerAddressMax > 0 && topicFiltersPerAddressMax < topicFiltersMax)
        warn(
          `topic_filters_per_address ${topicFiltersPerAddressMax} and topic_filters ${topicFiltersMax}: ` +
            'a subscription with as many as the latter is always refused',
        )
      return settings
    },
  }
}

/** A key of PyPubSub's that we know and do not serve yet. What that means is told at each start; its values, which may be secrets, are not. */
function notYetServed(key: string, meaning: string): Setting<null> {
  return optional(key, (_node, place) => {
    place.warnings.add(`${describePlace(place)} is not served yet: ${meaning}`)
    return null
  })
}

/** An empty one is part of every User-Agent, also of none, as with PyPubSub. */
function oldSchoolClient(node: YamlNode, place: Place): string {
  const part = anyText(node, place)
  if (part === '')
    place.warnings.add(
      `${describePlace(place)} has an empty text, which is part of every User-Agent: every stream of PyPubSub's form ` +
        'gets a NUL after every newline',
    )
  return part
}

/** `off`, `any`, or a list. */
function origins(node: YamlNode, place: Place): readonly string[] {
  if (node.type === 'list') return list(origin)(node, place)
  const value = text(node, place)
  if (value === 'off') return []
  return value === 'any' ? ['*'] : refuse(place, `must be off, any, or a list, not ${shown(value)}`)
}

/** As browsers send it: they compare text, so another spelling of the same origin would never match. */
function origin(node: YamlNode, place: Place): string {
  const value = text(node, place)
  if (value === 'any' || value === '*') return '*'
  if (/^https?:/.test(value) && URL.canParse(value) && new URL(value).origin === value) return value
  return refuse(
    place,
    `must list exact origins such as "https://a.example", or any, not ${shown(value)}`,
  )
}

function hostname(node: YamlNode, place: Place): string {
  const value = text(node, place)
  if (/^[\w-]+(\.[\w-]+)*$/.test(value)) return value.toLowerCase()
  return refuse(place, `must list host names such as pubsub.example.org, not ${shown(value)}`)
}

/** PyPubSub takes a single topic without a list and then secures nothing; whoever writes it counts on it. */
function secureTopics(node: YamlNode, place: Place): readonly string[] {
  return node.type === 'scalar' ? [secureTopic(node, place)] : list(secureTopic)(node, place)
}

function secureTopic(node: YamlNode, place: Place): string {
  const topic = text(node, place)
  if (!topic.includes('/')) return topic
  return refuse(place, `must list single topics, and no topic has a slash, as ${shown(topic)} does`)
}
