import { ConfigError } from '../settings/config-error.ts'
import { placeBelow, refuse, type Place } from '../settings/place.ts'
import { optional, required, section, sectionReader, setting } from '../settings/section.ts'
import { readBytes, readTextFile } from '../settings/text-file.ts'
import {
  bytes,
  duration,
  entriesOf,
  integer,
  list,
  map,
  placedText,
  text,
  type Reader,
} from '../settings/values.ts'

/** A file whose contents are for the protocol to read. */
export interface SecretsFile {
  readonly file: string
  readonly text: string
}

const secretsFile: Reader<SecretsFile> = (node, place) => {
  const file = text(node, place)
  return { file, text: usable(place, () => readTextFile(file)) }
}

function usable<T>(place: Place, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return refuse(place, `is not usable: ${error.message}`, error)
  }
}

const dictionary = sectionReader({
  file: required('file', (node, place) => {
    const file = text(node, place)
    return { file, bytes: usable(place, () => readBytes(file)) }
  }),
  /** Beyond 19 a subscriber may need more memory to read it than it is willing to take. Below 1 nothing can be signed. */
  level: setting('level', 3, integer(1, 19)),
})

/** By the numbers by which both sides know them. */
const dictionaries: Reader<ReadonlyMap<number, ReturnType<typeof dictionary>>> = (node, place) => {
  const byNumber = new Map<number, ReturnType<typeof dictionary>>()
  for (const [key, entry] of entriesOf(node, place)) {
    const number = /^[1-9]\d{0,4}$/.test(key) ? Number(key) : NaN
    const below = placeBelow(place, key, entry)
    if (!(number >= 2 && number <= 65_535)) refuse(below, 'must be a number from 2 to 65535')
    byNumber.set(number, dictionary(entry.value, below))
  }
  return byNumber
}

const MIB = 1024 * 1024

/** The section is what switches the door on: somebody has to say who may use it. */
export const lonelyps = sectionReader({
  /** Of everybody; `broadcaster-secrets.json` of the reference. None: nobody has to prove anything. */
  secrets: optional('secrets', secretsFile),
  /** Names of the ACL file and the secrets by which they are known here, with the rights that they have over HTTP. */
  users: setting('users', new Map(), map(secretsFile)),
  /** One notification, which is held in memory. Clients send parts of 4 MiB and are used to great messages. */
  messageBytesMax: setting('max_message_size', 16 * MIB, bytes(1, 64 * MIB)),
  /** Stored subscriptions, some 300 bytes of memory each. */
  subscriptionsMax: setting('subscriptions', 100_000, integer(1, 10_000_000)),
  /** Topics and globs of one WebSocket, or of one url. */
  subscriptionsPerPeerMax: setting('subscriptions_per_peer', 10_000, integer(1, 1_000_000)),
  /** Different globs: each is asked about each event. */
  globsMax: setting('globs', 1_000, integer(1, 100_000)),
  /** Of zstd, which WebSockets may ask for: each message is compressed with each of them that somebody has. */
  dictionaries: setting('dictionaries', new Map(), dictionaries),
  webhooks: section('webhooks', {
    /** Hosts, addresses and ranges that may be asked although they are not public. None: only the operator knows which. */
    allow: setting('allow', [], list(placedText)),
    /** For one request in whole: a receiver answers when its application is through. */
    timeoutMs: setting('timeout', 30_000, duration(1_000, 600_000)),
    /** How long a receiver is told that it may have missed something: a weekend. */
    missedForMs: setting('missed_for', 259_200_000, duration(1_000, 2_000_000_000)),
    /** Requests under way at once. */
    connectionsMax: setting('connections', 128, integer(1, 10_000)),
  }),
})
