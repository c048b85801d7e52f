import {
  basic,
  exchange,
  listen,
  publish,
  request,
  until,
  utf8,
  watched,
  type Case,
  type Step,
} from '../case.ts'
import { ACL } from '../configs.ts'

const encode = (text: string) => Buffer.from(text).toString('base64')
const alice = encode('alice:wonderland')

/** Authorization headers, good and bad. */
const credentials: Readonly<Record<string, readonly string[]>> = {
  nobody: [],
  alice: [basic('alice:wonderland')],
  'bob, whose password has colons': [basic('bob:b:u:i:l:d')],
  'root, whose segment is empty': [basic('root:toor')],
  'carol, who has no segments': [basic('carol:none')],
  'dave, who has no acl': [basic('dave:noacl')],
  'erin, whose acl is a list': [basic('erin:broken')],
  'frank, whose segment is text': [basic('frank:broken')],
  'grace, one of whose segments is text': [basic('grace:halfbroken')],
  'heidi, who has no password': [basic('heidi:')],
  'ivan, whose password is empty': [basic('ivan:')],
  'judy, whose password is null': [basic('judy:')],
  'judy, whose password is null, as None': [basic('judy:None')],
  'mallory, whose password is a number': [basic('mallory:007')],
  'mallory, by the value of that number': [basic('mallory:7')],
  'niaj, whose topics are numbers': [basic('niaj:years')],
  'oscar, whose acl is an anchor': [basic('oscar:anchor')],
  'peggy, whose acl is an alias': [basic('peggy:alias')],
  'rupert, whose entry merges another': [basic('rupert:merged')],
  'sybil, by the last of her entries': [basic('sybil:last')],
  'sybil, by the first of her entries': [basic('sybil:first')],
  'victor, whose password is a hexadecimal number': [basic('victor:0x1F')],
  'victor, by the value of that number': [basic('victor:31')],
  'walter, whose entry is a block with an unknown key': [basic('walter:block')],
  'the user without a name': [basic(':nameless')],
  'zoë in UTF-8': [basic('zoë:pässwörd')],
  'zoë in ISO-8859-1': [
    `Authorization: Basic ${Buffer.from('zoë:pässwörd', 'latin1').toString('base64')}`,
  ],
  'alice with a wrong password': [basic('alice:looking-glass')],
  'alice with half her password': [basic('alice:wonder')],
  'alice with more than her password': [basic('alice:wonderland ')],
  'alice without a password': [basic('alice:')],
  'Alice with a capital': [basic('Alice:wonderland')],
  'an unknown user': [basic('trudy:x')],
  'a user named __proto__': [basic('__proto__:x')],
  'credentials without a colon': [basic('alice')],
  'empty credentials': [basic('')],
  'a lone colon': [basic(':')],
  'an empty Authorization': ['Authorization:'],
  'Basic and nothing': ['Authorization: Basic'],
  'Basic and text that is no base64': ['Authorization: Basic !!!!'],
  'Basic and base64 without its padding': [
    `Authorization: Basic ${encode('root:toor').slice(0, -3)}`,
  ],
  'Basic and base64 with a line of garbage behind': [`Authorization: Basic ${alice} garbage`],
  'Basic and base64 with garbage within': [
    `Authorization: Basic ${alice.slice(0, 8)}-!${alice.slice(8)}`,
  ],
  'basic in lower case': [`Authorization: basic ${alice}`],
  'BASIC in capitals': [`Authorization: BASIC ${alice}`],
  'Basic with two spaces': [`Authorization: Basic  ${alice}`],
  'Basic with a tab': [`Authorization: Basic\t${alice}`],
  'base64 without a scheme': [`Authorization: ${alice}`],
  Bearer: [`Authorization: Bearer ${alice}`],
  Digest: ['Authorization: Digest username="alice", realm="x", nonce="x", uri="/", response="x"'],
  'clear text': ['Authorization: Basic alice:wonderland'],
  'bytes above 127': ['Authorization: Basic \xff\xfe'],
  'base64 of bytes that are no UTF-8': [
    `Authorization: Basic ${Buffer.from('\xff:\xfe', 'latin1').toString('base64')}`,
  ],
  'two Authorizations, the first good': [basic('alice:wonderland'), basic('trudy:x')],
  'two Authorizations, the second good': [basic('trudy:x'), basic('alice:wonderland')],
  'Proxy-Authorization': [`Proxy-Authorization: Basic ${alice}`],
  'credentials in the target': [],
}

const events = [
  '/private',
  '/private/fruits',
  '/private/fruits/apples',
  '/private/apples/fruits/x',
  '/private/apples',
  '/private/mail',
  '/private/2024',
  '/private/private/fruits',
  '/%70rivate/fruits/encoded',
  '//private//fruits',
  '/private,fruits',
  '/Private/fruits',
  '/fruits/private',
  '/fruits',
  '/private?/fruits',
  'http://pubsub.test/private/fruits/absolute',
]
const publishAll = events.flatMap((path, n) => publish(path, `{"n": ${n}}`))

export const credentialCases: readonly Case[] = Object.entries(credentials).map(
  ([who, headers]) => ({
    name: `private events as seen by ${who}`,
    config: 'open',
    steps: [
      ...listen(
        'client',
        who.endsWith('target') ? 'http://alice:wonderland@pubsub.test/' : '/',
        headers,
      ),
      ...publishAll,
      ...publish('/marker', '{"marker": "end"}'),
      until('client', '"end"'),
    ],
  }),
)

const privateFilters = [
  '/private',
  '/private/fruits',
  '/fruits/private',
  '/mail,private/fruits',
  '/%70rivate/apples',
]

export const privateSubscriptionCases: readonly Case[] = [
  ...privateFilters.map((filter): Case => ({
    name: `GET ${filter} by a user who may see everything`,
    config: 'open',
    steps: [
      ...listen('client', filter, [basic('root:toor')]),
      ...publishAll,
      { on: 'client', awaits: 'keep-alive' },
    ],
  })),
  {
    name: 'an anonymous GET of private topics stays an open stream',
    config: 'open',
    steps: [
      ...listen('private', '/private'),
      ...listen('fruits', '/private/fruits'),
      ...listen('both', '/private/fruits,fruits'),
      ...publishAll,
      { on: 'private', awaits: 'keep-alive' },
      { on: 'fruits', awaits: 'keep-alive' },
      until('both', '"n": 13'),
    ],
  },
  {
    name: 'a user sees of private events only those that the subscription matches',
    config: 'open',
    steps: [
      ...listen('client', '/apples,mail', [basic('root:toor')]),
      ...listen('alice', '/apples,mail', [basic('alice:wonderland')]),
      ...publishAll,
      ...publish('/mail', '{"marker": "end"}'),
      until('client', '"end"'),
      until('alice', '"end"'),
    ],
  },
]

/** Who may publish where, once on a payloader's connection and once elsewhere. */
const publications: Readonly<Record<string, readonly [string, ...string[]]>> = {
  'nobody to /x': ['/x'],
  'nobody to /guarded': ['/guarded'],
  'nobody to /x/guarded/y': ['/x/guarded/y'],
  'nobody to /private/guarded': ['/private/guarded'],
  'nobody to /%67uarded': ['/%67uarded'],
  'nobody to /x%2Fguarded': ['/x%2Fguarded'],
  'nobody to //guarded': ['//guarded'],
  'nobody to /guarded?x': ['/guarded?x'],
  'nobody to /x?guarded': ['/x?guarded'],
  'nobody to /Guarded': ['/Guarded'],
  'nobody to /guarded,x': ['/guarded,x'],
  'nobody to /guarded/..': ['/guarded/..'],
  'nobody to an absolute /guarded': ['http://pubsub.test/guarded'],
  'guard to /x': ['/x', basic('guard:keys')],
  'guard to /guarded': ['/guarded', basic('guard:keys')],
  'guard to /x/guarded': ['/x/guarded', basic('guard:keys')],
  'guard to /guarded/guarded': ['/guarded/guarded', basic('guard:keys')],
  'guard to /vault': ['/vault', basic('guard:keys')],
  'guard to /guarded/vault': ['/guarded/vault', basic('guard:keys')],
  'guard with a wrong password to /guarded': ['/guarded', basic('guard:locks')],
  'guard to /private/guarded': ['/private/guarded', basic('guard:keys')],
  'warden to /guarded/vault': ['/guarded/vault', basic('warden:keys')],
  'warden to /vault/x/guarded': ['/vault/x/guarded', basic('warden:keys')],
  'alice, who has no topics, to /guarded': ['/guarded', basic('alice:wonderland')],
  'drunk, whose acl is broken, to /guarded': ['/guarded', basic('drunk:keys')],
}

export const secureTopicCases: readonly Case[] = (['open', 'outsiders'] as const).flatMap(
  (config) =>
    Object.entries(publications).map(([what, [target, ...headers]]): Case => ({
      name: `${config === 'open' ? 'a payloader' : 'an outsider'} publishes as ${what}`,
      config,
      steps: [
        ...listen('watcher', '/', [basic('warden:keys')]),
        ...exchange('client', request('PUT', target, { headers, body: '{"n": 1}' })),
        ...exchange(
          'client',
          request('POST', '/vault/guarded', {
            headers: [basic('warden:keys')],
            body: '{"marker": "end"}',
          }),
        ),
        until('watcher', '"end"'),
      ],
    })),
)

const refusedFirst = (name: string, send: string): Case => ({
  name: `an outsider is refused before ${name}`,
  config: 'outsiders',
  steps: [...exchange('client', send), ...exchange('client', request('HEAD', '/'))],
})

export const outsiderCases: readonly Case[] = [
  refusedFirst('anything else', request('PUT', '/x', { body: '{"n": 1}' })),
  refusedFirst('anything else by POST', request('POST', '/x', { body: '{"n": 1}' })),
  refusedFirst('the body is found missing', request('PUT', '/x')),
  refusedFirst('the body is found not to be JSON', request('PUT', '/x', { body: 'hello' })),
  refusedFirst('the body is found too large', request('PUT', '/x', { body: 'x'.repeat(1_001) })),
  refusedFirst(
    'an unknown encoding is',
    request('PUT', '/x', { headers: ['Content-Encoding: tea'], body: '{}' }),
  ),
  {
    name: 'an outsider may listen, and DELETE is not understood',
    config: 'outsiders',
    steps: [
      ...exchange('client', request('DELETE', '/x')),
      ...exchange('client', request('GET', '/guarded')),
    ],
  },
  {
    name: 'without payloaders nobody may publish, and everybody may listen',
    config: 'nobody',
    steps: [
      ...exchange('client', request('PUT', '/x', { body: '{"n": 1}' })),
      ...exchange('client', request('HEAD', '/x')),
      ...exchange('client', request('GET', '/x')),
    ],
  },
  {
    name: 'private as a secure topic',
    config: 'securedPrivate',
    steps: [
      ...listen('watcher', '/', [basic('warden:keys')]),
      ...exchange('client', request('PUT', '/private/x', { body: '{"n": 1}' })),
      ...exchange('client', request('PUT', '/x/private', { body: '{"n": 2}' })),
      ...exchange(
        'client',
        request('PUT', '/private/x', { headers: [basic('guard:keys')], body: '{"n": 3}' }),
      ),
      ...exchange(
        'client',
        request('PUT', '/private/x', { headers: [basic('warden:keys')], body: '{"n": 4}' }),
      ),
      ...exchange(
        'client',
        request('PUT', '/x/private', { headers: [basic('warden:keys')], body: '{"n": 5}' }),
      ),
      until('watcher', '"n": 5'),
    ],
  },
  {
    name: 'a number as a secure topic',
    config: 'securedNumber',
    steps: watched(
      ...exchange('client', request('PUT', '/2024', { body: '{"n": 1}' })),
      ...exchange('client', request('PUT', '/2025', { body: '{"n": 2}' })),
    ),
  },
  {
    name: 'null for everything that may be null',
    config: 'nulls',
    steps: [
      ...exchange('client', request('PUT', '/x', { body: '{"n": 1}' })),
      ...exchange('client', request('HEAD', '/x')),
      ...exchange('stream', request('GET', '/x')),
    ],
  },
  ...(['netmask', 'hostBits', 'everyIpv4', 'everyIpv6', 'neighbour'] as const).map(
    (config): Case => ({
      name: `127.0.0.1 publishes where the payloaders are ${config}`,
      config,
      steps: exchange('client', request('PUT', '/x', { body: '{"n": 1}' })),
    }),
  ),
  {
    name: 'reading a secure topic is open',
    config: 'open',
    steps: [
      ...listen('client', '/guarded'),
      ...publish('/guarded', '{"n": 1}', [basic('guard:keys')]),
      until('client', '"n"'),
    ],
  },
]

const newcomer = utf8(`${ACL}\nnewcomer: {password: hello, acl: {fruit: [fruits]}}\n`)
const without = (user: string) => ACL.replace(new RegExp(`^${user}: .*\n`, 'm'), '')
const publishPair: readonly Step[] = [
  ...publish('/private/fruits', '{"secret": 1}'),
  ...publish('/fruits', '{"open": 1}'),
]

export const reloadCases: readonly Case[] = [
  {
    name: 'a user who comes with a reload may log in',
    config: 'open',
    freshServer: true,
    steps: [
      ...listen('before', '/', [basic('newcomer:hello')]),
      { reloadAcl: newcomer },
      ...listen('after', '/', [basic('newcomer:hello')]),
      ...publish('/private/fruits', '{"secret": 1}'),
      until('after', '"secret"'),
    ],
  },
  {
    name: 'a user who went with a reload may no longer log in',
    config: 'open',
    freshServer: true,
    steps: [
      { reloadAcl: without('alice') },
      ...listen('client', '/', [basic('alice:wonderland')]),
      ...publishPair,
      until('client', '"open"'),
    ],
  },
  {
    name: 'a user whose password a reload changed logs in with the new one',
    config: 'open',
    freshServer: true,
    steps: [
      { reloadAcl: ACL.replace('wonderland', 'underland') },
      ...listen('old', '/', [basic('alice:wonderland')]),
      ...listen('new', '/', [basic('alice:underland')]),
      ...publishPair,
      until('old', '"open"'),
      until('new', '"open"'),
    ],
  },
  {
    name: 'a reload of a broken file leaves the old rights in force',
    config: 'open',
    freshServer: true,
    steps: [
      ...listen('before', '/', [basic('alice:wonderland')]),
      { reloadAcl: 'alice: {password: [' },
      ...listen('after', '/', [basic('alice:wonderland')]),
      ...publishPair,
      until('before', '"open"'),
      until('after', '"open"'),
    ],
  },
  {
    name: 'a reload of an empty file leaves no users',
    config: 'open',
    freshServer: true,
    steps: [
      { reloadAcl: '# nobody\n' },
      ...listen('client', '/', [basic('alice:wonderland')]),
      ...publishPair,
      until('client', '"open"'),
    ],
  },
  {
    name: 'a reload that takes a user away takes the rights from open streams',
    config: 'open',
    freshServer: true,
    steps: [
      ...listen('client', '/', [basic('alice:wonderland')]),
      { reloadAcl: without('alice') },
      ...publishPair,
      until('client', '"open"'),
    ],
  },
  {
    name: 'a reload that changes a password takes the rights from open streams',
    config: 'open',
    freshServer: true,
    steps: [
      ...listen('client', '/', [basic('alice:wonderland')]),
      { reloadAcl: ACL.replace('wonderland', 'underland') },
      ...publishPair,
      until('client', '"open"'),
    ],
  },
  {
    name: 'a reload that gives rights gives them to open streams',
    config: 'open',
    freshServer: true,
    steps: [
      ...listen('client', '/', [basic('carol:none')]),
      { reloadAcl: ACL.replace('acl: {}', 'acl: {fruit: [fruits]}') },
      ...publishPair,
      until('client', '"open"'),
    ],
  },
  {
    name: 'a reload that leaves a subscription to private topics nothing to see',
    config: 'open',
    freshServer: true,
    steps: [
      ...listen('client', '/private/fruits', [basic('alice:wonderland')]),
      ...listen('both', '/private/fruits,fruits', [basic('alice:wonderland')]),
      { reloadAcl: without('alice') },
      ...publishPair,
      { on: 'client', awaits: 'keep-alive' },
      until('both', '"open"'),
    ],
  },
]
