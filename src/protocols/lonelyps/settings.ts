import { ConfigError } from '../../settings/config-error.ts'
import { placeBelow, refuse, type Place } from '../../settings/place.ts'
import { optional, required, section, sectionReader, setting } from '../../settings/section.ts'
import { readBytes, readTextFile } from '../../settings/text-file.ts'
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
} from '../../settings/values.ts'

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

/** The dictionaries, by the numbers by which both sides know them. */
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

const read = sectionReader({
  secrets: optional('secrets', secretsFile, {
    about:
      "The reference's broadcaster-secrets.json, for everybody. Left out: nobody proves anything.",
    example: '/etc/pubsubd/broadcaster-secrets.json',
  }),
  users: setting('users', new Map(), map(secretsFile), {
    about:
      'Users of the ACL file, each with a secrets file: their rights are those they have over HTTP. Default: none.',
    example: '{alice: /etc/pubsubd/alice-secrets.json}',
  }),
  messageBytesMax: setting('max_message_size', 64 * MIB, bytes(1, 64 * MIB), {
    about:
      'Bytes of one notification, which is held in memory: clients send parts of 4 MiB and are used to great messages.',
    shown: '64MiB',
  }),
  messageMemoryMax: setting('message_memory', 256 * MIB, bytes(1, 1024 * 1024 * MIB), {
    about:
      'Bytes of all notifications together that are coming and not yet stored: room for four of the greatest. Beyond it who ' +
      'has stood still for the longest, of the address with the most, has to begin anew.',
    shown: '256MiB',
  }),
  subscriptionsMax: setting('subscriptions', 100_000, integer(1, 10_000_000), {
    about: 'Stored subscriptions, some 300 bytes of memory each.',
    shown: '100000',
  }),
  subscriptionsPerAddressMax: setting('subscriptions_per_address', 0, integer(0, 10_000_000), {
    about:
      'Of them, those of one user, or else those that one address (IPv6: a /64) has made, with 1 KiB each on average. 0: as ' +
      'many as are left for all others.',
    shown: '0',
  }),
  subscriptionsPerPeerMax: setting('subscriptions_per_peer', 10_000, integer(1, 1_000_000), {
    about: 'Topics and globs of one WebSocket, or of one url.',
    shown: '10000',
  }),
  globsMax: setting('globs', 1_000, integer(1, 100_000), {
    about: 'Different globs: each is asked about each event.',
    shown: '1000',
  }),
  globsPerAddressMax: setting('globs_per_address', 0, integer(0, 100_000), {
    about:
      'Of them, those of one user, or else one address (IPv6: a /64): so many of its WebSockets, and so many that are stored. ' +
      '0: as many as are left for all others.',
    shown: '0',
  }),
  dictionaries: setting('dictionaries', new Map(), dictionaries, {
    about:
      'zstd dictionaries for WebSockets, by the numbers that clients ask for: each message is compressed with each of them ' +
      'that somebody has. Default: none.',
    example: '{2: {file: /etc/pubsubd/dictionary, level: 3}}',
  }),
  webhooks: section(
    'webhooks',
    {
      allow: setting('allow', [], list(placedText), {
        about:
          'Hosts, addresses, ranges and host:port that may be asked although they are not public. Default: none, as only the ' +
          'operator knows which.',
        example: '[127.0.0.1]',
      }),
      timeoutMs: setting('timeout', 30_000, duration(1_000, 600_000), {
        about:
          'For one request in whole, from when it may connect: a receiver answers when its application is through.',
        shown: '30s',
      }),
      countedForMs: setting('counted_for', 5_000, duration(0, 600_000), {
        about:
          'How long the answer to a notification waits for its webhooks, to count who has got it. Its publisher has others to serve.',
        shown: '5s',
      }),
      missedForMs: setting('missed_for', 259_200_000, duration(1_000, 2_000_000_000), {
        about: 'How long a receiver is told that it may have missed something: a weekend.',
        shown: '3d',
      }),
      connectionsMax: setting('connections', 128, integer(1, 10_000), {
        about: 'Requests under way at once.',
        shown: '128',
      }),
    },
    { about: 'Requests to receivers.' },
  ),
})

/** The section is what switches the door on: somebody has to say who may use it. */
export const LONELYPS_SECTION = optional('lonelyps', read, {
  about: 'lonelyps below /-/lonelyps of the HTTP port: docs/protocols/lonelyps.md.',
})

export type LonelypsSettings = ReturnType<typeof read>
