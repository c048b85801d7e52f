import { ConfigError } from '../../settings/config-error.ts'
import { placeBelow, refuse } from '../../settings/place.ts'
import { bindPattern, startTlsFits, uri } from '../../settings/directory.ts'
import { optional, required, sectionReader, setting } from '../../settings/section.ts'
import { readBytes, readTextFile } from '../../settings/text-file.ts'
import { certificateFile, tlsFiles } from '../../settings/tls.ts'
import {
  boolean,
  bytes,
  duration,
  entriesOf,
  integer,
  list,
  oneOf,
  text,
  type Reader,
} from '../../settings/values.ts'

/** What may be asked of whoever connects. */
const AUTHENTICATIONS = ['none', 'acl', 'passwords', 'ldap', 'jwt'] as const

/** The two layouts of data messages: a byte that says whether it is an image, or a content type (dossier 6.1). */
export type Wire = 'is-image' | 'content-type'

const KIB = 1024
const MIB = 1024 * KIB

const wire: Reader<Wire> = oneOf('is-image', 'content-type')

/** Ports, each with what is spoken there. */
const ports: Reader<ReadonlyMap<number, Wire>> = (node, place) => {
  const byPort = new Map<number, Wire>()
  for (const [key, entry] of entriesOf(node, place)) {
    const below = placeBelow(place, key, entry)
    if (!/^\d{1,5}$/.test(key) || Number(key) > 65_535)
      refuse(below, 'must be a port, from 0 (any that is free) to 65535')
    byPort.set(Number(key), wire(entry.value, below))
  }
  if (byPort.size === 0) refuse(place, 'must name a port, such as 9091: is-image')
  return byPort
}

/** `any`: everybody; else the users who may. */
export type Allowed = 'any' | readonly string[]

const allowed: Reader<Allowed> = (node, place) =>
  node.type === 'scalar' && node.text === 'any' ? 'any' : list(text)(node, place)

/** Salt and hash of each user. The file's contents are for `passwords.ts`. */
const passwordFile: Reader<{ readonly file: string; readonly text: string }> = (node, place) => {
  const file = text(node, place)
  try {
    return { file, text: readTextFile(file) }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return refuse(place, `is not usable: ${error.message}`, error)
  }
}

/** The bytes of a file without its last newline, in base64. */
const secretFile: Reader<string> = (node, place) => {
  const file = text(node, place)
  try {
    const all = readBytes(file)
    const secret = all.subarray(0, all.at(-1) === NEWLINE ? -1 : undefined)
    if (secret.length >= SECRET_BYTES_MIN) return secret.toString('base64')
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return refuse(place, `is not usable: ${error.message}`, error)
  }
  return refuse(
    place,
    `must name a file with a secret of at least ${SECRET_BYTES_MIN} bytes; ${file} has fewer`,
  )
}

const NEWLINE = 0x0a
const SECRET_BYTES_MIN = 16

const ldap = sectionReader(
  {
    uri: required('uri', uri),
    userDn: setting('user_dn', '%s', bindPattern),
    ca: optional('ca', certificateFile),
    startTls: setting('starttls', false, boolean),
    timeoutMs: setting('timeout', 10_000, duration(100, 10_000)),
  },
  [startTlsFits],
)

const jwt = sectionReader({ secret: required('secret', secretFile) })

const feed = sectionReader({
  subscribe: setting('subscribe', 'any', allowed, {
    about: 'Who may subscribe: any, or a list of users.',
    shown: 'any',
  }),
  publish: setting('publish', 'any', allowed, {
    about:
      'Who may publish, beside what HTTP asks for (clients.payloaders, clients.secure_topics).',
    shown: 'any',
  }),
  notify: setting('notify', 'any', allowed, {
    about: 'Who may hear of subscriptions.',
    shown: 'any',
  }),
  authorize: setting('authorize', [], allowed, {
    about:
      'Users whose answer a subscription needs: what is published there is private elsewhere. Default: none, so none is needed.',
    example: '[mary]',
  }),
  entitlements: setting('entitlements', [], list(integer(-(2 ** 31), 2 ** 31 - 1)), {
    about: 'Of the one packet as which an event of another door comes. Default: none.',
    example: '[7]',
  }),
  image: setting('image', 'none', oneOf<Image>('none', 'last'), {
    about:
      'last: a subscription begins with the last event of its topic that the log keeps, as an image. Default: none.',
    shown: 'none',
  }),
})

/** What a subscription begins with: the last event of its topic, as an image, or nothing. */
export type Image = 'none' | 'last'

export type FeedSettings = ReturnType<typeof feed>

/** In the order in which they are asked. */
const feeds: Reader<readonly (readonly [pattern: string, settings: FeedSettings])[]> = (
  node,
  place,
) =>
  Array.from(entriesOf(node, place), ([pattern, entry]) => [
    pattern,
    feed(entry.value, placeBelow(place, pattern, entry)),
  ])

const read = sectionReader({
  bind: setting('bind', '127.0.0.1', text, {
    about: 'Nobody proves anything, so nobody else gets in by default.',
    shown: '127.0.0.1',
  }),
  ports: setting('ports', new Map<number, Wire>([[9_091, 'is-image']]), ports, {
    about:
      'Ports, and what is spoken there: is-image (the Python client up to 4, servers up to 5) or content-type (Python 6.0a). All ' +
      'are one bus.',
    shown: '{9091: is-image}',
  }),
  tls: optional('tls', tlsFiles, {
    about:
      'PEM files; chain, if there is one. With them TLS is spoken on these ports, from the first byte.',
    example:
      '{cert: /etc/pubsubd/cert.pem, key: /etc/pubsubd/key.pem, chain: /etc/pubsubd/chain.pem}',
  }),
  authentication: setting('authentication', 'none', oneOf(...AUTHENTICATIONS), {
    about:
      'What peers prove, on all ports. With none everybody is nobody; with acl they are users as over HTTP, with passwords users of the ' +
      'file below, with ldap of the directory, with jwt whom a signed token names.',
    shown: 'none',
  }),
  passwords: optional('passwords', passwordFile, {
    about: "The reference's passwords.json, for `authentication: passwords`.",
    example: '/etc/pubsubd/passwords.json',
  }),
  ldap: optional('ldap', ldap, {
    about:
      'For `authentication: ldap`: whoever can bind as user_dn is that user. %s is the name; where that is all, it is what they bind as. ' +
      'ca, starttls and timeout as in clients.ldap.',
    example:
      '{uri: "ldaps://ldap.example.org", user_dn: "uid=%s,ou=people,dc=example,dc=org", ca: /etc/pubsubd/ldap-ca.pem, starttls: false, timeout: 10s}',
  }),
  jwt: optional('jwt', jwt, {
    about:
      'For `authentication: jwt`: the file that has the secret by which tokens are signed (HS256, HS384, HS512).',
    example: '{secret: /etc/pubsubd/jwt.secret}',
  }),
  handshakeTimeoutMs: setting('handshake_timeout', 60_000, duration(0, 86_400_000), {
    about: 'How long TLS and the login may take. 0: as long as they like.',
    shown: '60s',
  }),
  heartbeatMs: setting('heartbeat', 0, duration(0, 86_400_000), {
    about: 'How often heartbeat of the feed __admin__ comes. 0: never.',
    shown: '0',
  }),
  feeds: setting('feeds', [], feeds, {
    about:
      "Who may do what, by patterns of a feed's whole name (`*`, `?`): the first that matches decides. Default: everybody everything.",
    example: '{"LSE*": {publish: [nobody], notify: any}}',
  }),
  messageBytesMax: setting('max_message_size', 16 * MIB, bytes(KIB, 64 * MIB), {
    about: 'Bytes of one message, which is held in memory.',
    shown: '16MiB',
  }),
  subscriptionsPerPeerMax: setting('subscriptions_per_peer', 10_000, integer(1, 1_000_000), {
    about: 'Different topics of one connection; further ones are dropped.',
    shown: '10000',
  }),
})

/** The section is what switches the door on. */
export const JETBLACK_SECTION = optional('jetblack', read, {
  about: 'jetblack-messagebus on ports of its own: docs/protocols/jetblack.md.',
})

export type JetblackSettings = ReturnType<typeof read>
