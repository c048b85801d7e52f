import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import { ConfigError } from '../../src/settings/config-error.ts'
import { loadSettings } from '../../src/config/load.ts'
import { SETTINGS, type Settings } from '../../src/config/schema.ts'
import { parseYaml } from '../../src/config/yaml.ts'
import type { Fields } from '../../src/settings/section.ts'
import type { YamlEntry, YamlNode } from '../../src/settings/yaml-node.ts'
import { FIRST, SECOND } from './certificates.ts'
import { TemporaryFiles } from './temporary-files.ts'

const SHIPPED = fileURLToPath(new URL('../../pubsub.yaml', import.meta.url))

function load(text: string): { settings: Settings; warnings: readonly string[] } {
  using files = new TemporaryFiles()
  return loadSettings(files.write('pubsub.yaml', text))
}

/** What is told about a file that is refused, from its name on. */
function refusal(text: string): string {
  try {
    load(text)
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    return error.message.replace(/^.*?pubsub\.yaml/, 'pubsub.yaml')
  }
  return assert.fail(`accepted: ${text}`)
}

function loadServer(server: string): Settings['server'] {
  return load(`server: {${server}}\nclients: {payloaders: [::1]}`).settings.server
}

function loadClients(clients: string): Settings['clients'] {
  return load(`server: {}\nclients: {${clients}}`).settings.clients
}

function refusedServer(server: string): string {
  return refusal(`server: {${server}}\nclients: {}`)
}

function refusedClients(clients: string): string {
  return refusal(`server: {}\nclients: {${clients}}`)
}

test('empty sections give every default', () => {
  const { settings } = load('server: {}\nclients: {}\n')
  assert.deepEqual(settings, {
    server: {
      bind: '0.0.0.0',
      port: 2069,
      payloadBytesMax: 102_400,
      tls: null,
      backlog: {
        eventsMax: 0,
        maxAgeMs: 0,
        bytesMax: 268_435_456,
        storage: null,
        durability: 'disk',
        reserveBytes: 67_108_864,
      },
      drainWindowMs: 30_000,
      pidFile: null,
      hostnames: [],
      cors: { origins: [] },
    },
    clients: {
      payloaders: [],
      oldschoolers: [],
      secureTopics: [],
      badCredentials: 'anonymous',
      trustProxy: [],
      ldap: null,
    },
    limits: {
      jsonDepthMax: 900,
      headBytesMax: 65_536,
      batchBytesMax: 8_388_608,
      batchEventsMax: 10_000,
      keyWindowMs: 86_400_000,
      keysMax: 100_000,
      topicsMax: 4_096,
      topicFiltersMax: 4_096,
      topicFiltersTotalMax: 1_000_000,
      whereLengthMax: 1_024,
      whereStepsMax: 10_000,
      conditionsMax: 1_000,
      countMax: 1_000_000,
      timeoutMsMax: 3_600_000,
      streamsPerAddressMax: 0,
      conditionsPerAddressMax: 0,
      topicFiltersPerAddressMax: 0,
      queueBytesMax: 1_048_576,
      stallTimeoutMs: 300_000,
      headTimeoutMs: 20_000,
      requestTimeoutMs: 60_000,
      loginDelayMsMax: 4_000,
      loginRefusalMs: 500,
      waitingLoginsMax: 1_000,
      connectionsMax: 0,
    },
    log: { format: 'auto', level: 'info' },
    protocols: { lonelyps: null, jetblack: null },
    sqs: null,
  })
})

test('a key with nothing behind it has its default', () => {
  const { settings } = load(
    'server: {port: , backlog: ~}\nclients: {oldschoolers: , payloaders: null}\nlimits:\nsqs:',
  )
  assert.equal(settings.server.port, 2069)
  assert.equal(settings.server.backlog.eventsMax, 0)
  assert.deepEqual(settings.clients.oldschoolers, [])
})

test('the shipped file is read without a warning', () => {
  const { settings, warnings } = loadSettings(SHIPPED)
  assert.deepEqual(warnings, [])
  assert.equal(settings.server.port, 2069)
  assert.equal(settings.server.bind, '0.0.0.0')
  assert.equal(settings.server.backlog.eventsMax, 100_000)
  assert.equal(settings.server.backlog.maxAgeMs, 7 * 86_400_000)
  assert.equal(settings.server.backlog.storage, 'data/backlog')
  assert.equal(settings.clients.badCredentials, 'reject')
  assert.deepEqual(
    settings.clients.payloaders.map((each) => each.text),
    ['127.0.0.1', '::1'],
  )
})

/** Keys that are commented out are there. */
function withoutCommentSigns(): string {
  return readFileSync(SHIPPED, 'utf8')
    .replaceAll(/^( *)# (?=[ #]*([a-z_]+:|- |cn=))/gm, '$1')
    .replaceAll(/^( *)# (?=ca:|member_of:|search:| +(bind_dn|password_file|base|filter):)/gm, '$1')
}

test('every setting stands in the shipped file', () => {
  const { root } = parseYaml(withoutCommentSigns(), 'pubsub.yaml')
  const { sqs: _notYetServed, ...fields } = SETTINGS.fields!
  assert.deepEqual(missingKeys(fields, root, ''), [])
})

/** Of a section and those in it, with dots between. */
function missingKeys(fields: Fields, node: YamlNode, path: string): string[] {
  const entries = node.type === 'map' ? node.entries : new Map<string, YamlEntry>()
  return Object.values(fields).flatMap(({ key, fields: below }) => {
    const entry = entries.get(key)
    if (entry === undefined) return [path + key]
    return below === undefined ? [] : missingKeys(below, entry.value, `${path}${key}.`)
  })
}

test('the keys commented out in the shipped file are right, and show the defaults', () => {
  using files = new TemporaryFiles()
  const certificate = files.write('cert.pem', FIRST.certPem)
  const text = withoutCommentSigns()
    .replaceAll('/etc/pubsubd/ldap-password', files.write('password', 's3cret\n'))
    .replaceAll(/\/etc\/pubsubd\/(ldap-ca|cert|chain)\.pem/g, certificate)
    .replaceAll('/etc/pubsubd/key.pem', files.write('key.pem', FIRST.keyPem))
    .replaceAll(
      /\/etc\/pubsubd\/(?:\w+-secrets|passwords)\.json/g,
      files.write('secrets.json', '{}'),
    )
    .replaceAll('/etc/pubsubd/jwt.secret', files.write('jwt.secret', 'a secret of some bytes'))
    .replaceAll('/etc/pubsubd/dictionary', files.write('dictionary', '12345678'))
  assert.doesNotMatch(text, /^ *# *[a-z_]+:/m, 'a key is still commented out')
  assert.throws(
    () => loadSettings(files.write('pubsub.yaml', text)),
    /^ConfigError: [^:]+pubsub\.yaml, line \d+, column \d+: clients\.ldap\.search finds the DN of a user, so take out user_dn$/,
  )
  const searching = text.replace(/^ *user_dn: uid=%s,ou=people,dc=example,dc=org\n/m, '')
  const { settings, warnings } = loadSettings(files.write('pubsub.yaml', searching))
  assert.deepEqual(warnings, [])
  const defaults = load('server: {}\nclients: {}').settings
  assert.deepEqual(settings.limits, defaults.limits)
  assert.deepEqual(
    {
      ...settings.server,
      tls: null,
      pidFile: null,
      backlog: { ...settings.server.backlog, eventsMax: 0, maxAgeMs: 0, storage: null },
    },
    defaults.server,
  )
  assert.deepEqual(settings.clients.oldschoolers, defaults.clients.oldschoolers)
  const { uri, userDn, search, baseScope, membershipPatterns, memberOf, acl, ca, ...ldap } =
    settings.clients.ldap ?? assert.fail()
  assert.equal(userDn, null)
  assert.deepEqual(search, {
    bindAs: { dn: 'cn=pubsubd,ou=services,dc=example,dc=org', password: 's3cret' },
    base: 'ou=people,dc=example,dc=org',
    filter: '(sAMAccountName=%s)',
  })
  assert.equal(memberOf, 'memberOf:1.2.840.113556.1.4.1941:')
  assert.deepEqual(
    [uri, baseScope, membershipPatterns.length, acl.size, ca],
    ['ldaps://ldap.example.org', 'ou=groups,dc=example,dc=org', 2, 1, FIRST.certPem],
  )
  const { ldap: bare } = loadClients(
    'ldap: {uri: ldap://x, user_dn: uid=%s, base_scope: dc=x, acl: {}}',
  )
  const { startTls, timeoutMs, cacheMs, recheckMs, graceMs, connectionsMax } = bare ?? assert.fail()
  assert.deepEqual(ldap, { startTls, timeoutMs, cacheMs, recheckMs, graceMs, connectionsMax })
  const { lonelyps } = load('server: {}\nclients: {}\nprotocols: {lonelyps: {}}').settings.protocols
  const shown = settings.protocols.lonelyps ?? assert.fail()
  assert.equal(shown.secrets?.text, '{}')
  assert.deepEqual([...shown.users.keys()], ['alice'])
  assert.deepEqual([...shown.dictionaries.keys()], [2])
  const { secrets, users, dictionaries } = lonelyps!
  const webhooks = { ...shown.webhooks, allow: [] }
  assert.deepEqual({ ...shown, secrets, users, dictionaries, webhooks }, lonelyps)
  const { jetblack } = load('server: {}\nclients: {}\nprotocols: {jetblack: {}}').settings.protocols
  const shownJetblack = settings.protocols.jetblack ?? assert.fail()
  assert.deepEqual(
    shownJetblack.feeds.map(([pattern]) => pattern),
    ['LSE*'],
  )
  assert.equal(shownJetblack.passwords?.text, '{}')
  assert.equal(shownJetblack.ldap?.timeoutMs, 10_000)
  assert.equal(shownJetblack.tls?.keyPem, FIRST.keyPem)
  const unset = { passwords: null, ldap: null, jwt: null, tls: null }
  assert.deepEqual({ ...shownJetblack, ...unset, feeds: [] }, jetblack)
})

function warningsOf(limits: string): readonly string[] {
  return load(`server: {}\nclients: {payloaders: [::1]}\nlimits: {${limits}}`).warnings
}

test('a share of one address that is more than all, or less than one subscription, is a warning', () => {
  for (const [limits, warning] of [
    ['conditions: 5, conditions_per_address: 6', /conditions_per_address 6 and conditions 5: one/],
    ['topic_filters_per_address: 1000001', /1000001 and topic_filters_total 1000000: one address/],
    ['topic_filters_per_address: 5', /5 and topic_filters 4096: .* always refused$/],
  ] as const) {
    const warnings = warningsOf(limits)
    assert.equal(warnings.length, 1, limits)
    assert.match(warnings[0]!, warning)
    assert.match(warnings[0]!, /pubsub\.yaml, line 3, column 1: limits has/)
  }
  for (const limits of ['conditions: 5, conditions_per_address: 5', 'topic_filters_per_address: 0'])
    assert.deepEqual(warningsOf(limits), [])
})

test('a file without server or clients is refused, and so is one that is no map', () => {
  assert.match(refusal(''), /^pubsub\.yaml, line 1, column \d+: server is missing/)
  assert.match(refusal('# only this\n'), /server is missing/)
  assert.match(refusal('server: {}\n'), /^pubsub\.yaml, line 1, column \d+: clients is missing/)
  assert.match(refusal('server:\nclients: {}\n'), /line 1, column \d+: server is missing/)
  assert.match(
    refusal('server: [a]\nclients: {}'),
    /line 1, column \d+: server must be a map, not a list/,
  )
  assert.match(
    refusal('server: {}\nclients: x'),
    /line 2, column \d+: clients must be a map, not text/,
  )
  assert.match(refusal('- server\n'), /line 1, column \d+: the file must be a map, not a list/)
  assert.match(refusal('server\n'), /line 1, column \d+: the file must be a map, not text/)
})

test('a file that cannot be read is refused by name', () => {
  using files = new TemporaryFiles()
  const missing = join(files.directory, 'pubsub.yaml')
  assert.throws(
    () => loadSettings(missing),
    (error) => {
      assert.ok(error instanceof ConfigError)
      return error.message.startsWith(`there is no ${missing}: name yours by --config FILE, `)
    },
  )
  assert.throws(() => loadSettings(files.directory), /cannot be read: EISDIR/)
  assert.throws(() => loadSettings('/dev/zero'), /is larger than 8388608 bytes/)
  assert.throws(
    () => loadSettings(files.write('latin1.yaml', Buffer.from([0x61, 0x3a, 0xff]))),
    /is not UTF-8 text/,
  )
})

test('broken YAML is refused with file, line and column', () => {
  assert.match(
    refusal('server:\n  port: [1\n'),
    /^pubsub\.yaml, line \d+, column \d+: this is not valid YAML/,
  )
})

test('an unknown key is told with the name that was probably meant, and ignored', () => {
  const { settings, warnings } = load(
    'server:\n  port: 1\n\n  max_payload_sise: 5\n  backlog: {sise: 3}\nclients: {payloaders: [::1], xyzzy: 1}\nlimit: {}\n',
  )
  assert.equal(settings.server.payloadBytesMax, 102_400)
  assert.deepEqual(
    warnings.map((text) => text.replace(/^.*pubsub\.yaml: /, '')),
    [
      'unknown key limit (line 7), did you mean limits? It is ignored',
      'unknown key server.max_payload_sise (line 4), did you mean server.max_payload_size? It is ignored',
      'unknown key server.backlog.sise (line 5), did you mean server.backlog.size? It is ignored',
      'unknown key clients.xyzzy (line 6). It is ignored',
    ],
  )
})

test('a key in the wrong section is told with the right one, at any depth, and so is a misspelt one', () => {
  for (const [written, told] of [
    [
      'tls: {port: 1}',
      'unknown key tls (line 3), did you mean server.tls or protocols.jetblack.tls?',
    ],
    ['storage: x', 'unknown key storage (line 3), did you mean server.backlog.storage?'],
    ['storrage: x', 'unknown key storrage (line 3), did you mean server.backlog.storage?'],
    ['port: 1', 'unknown key port (line 3), did you mean server.port or server.tls.port?'],
    [
      'limits: {payloaders: x}',
      'unknown key limits.payloaders (line 3), did you mean clients.payloaders?',
    ],
    [
      'protocols: {lonelyps: {webhooks: {user_dn: x}}}',
      'unknown key protocols.lonelyps.webhooks.user_dn (line 3), did you mean clients.ldap.user_dn or protocols.jetblack.ldap.user_dn?',
    ],
    [
      'limits: {counted_for: 1}',
      'unknown key limits.counted_for (line 3), did you mean protocols.lonelyps.webhooks.counted_for?',
    ],
    ['xyzzy: 1', 'unknown key xyzzy (line 3).'],
  ] as const) {
    const { warnings } = load(`server: {}\nclients: {payloaders: [::1]}\n${written}`)
    assert.deepEqual(
      warnings.map((text) => text.replace(/^.*pubsub\.yaml: /, '')),
      [`${told} It is ignored`],
    )
  }
  const { warnings } = load('server: {backlog: {tls: {}, port: 1}}\nclients: {payloaders: [::1]}')
  assert.match(
    warnings.join('\n'),
    /server\.backlog\.tls .*did you mean server\.tls or protocols\.jetblack\.tls\?/,
  )
  assert.match(warnings.join('\n'), /server\.backlog\.port .*server\.port or server\.tls\.port\?/)
})

test('all that is wrong in a list or a map is told at once, up to a hundred things', () => {
  using files = new TemporaryFiles()
  const problemsOf = (text: string): readonly string[] => {
    try {
      loadSettings(files.write('pubsub.yaml', text))
    } catch (error) {
      assert.ok(error instanceof ConfigError, String(error))
      return error.problems
    }
    return assert.fail('accepted')
  }
  const some = problemsOf(
    'server: {}\nclients: {payloaders: [~, a, [b]], oldschoolers: [{}]}\nprotocols: {lonelyps: {users: {a: ~, b: []}}}',
  )
  assert.equal(some.length, 5)
  const many = problemsOf(`server: {}\nclients: {payloaders: [${'[],'.repeat(200_000)}]}`)
  assert.equal(many.length, 101)
  assert.equal(many.at(-1), 'more than 100 things are wrong, and the others are not shown')
})

test('odd unknown keys are told on one line, and a million of them briefly', () => {
  const odd = load('server: {}\nclients: {payloaders: [::1]}\n"a\\nb\\e[31m\\u2028": 1\n').warnings
  assert.deepEqual(
    odd.map((text) => text.replace(/^.*pubsub\.yaml: /, '')),
    ['unknown key "a\\nb\\u001b[31m\\u{2028}" (line 3). It is ignored'],
  )
  const many = Array.from({ length: 200_000 }, (_, i) => `server_${i}: {}`).join('\n')
  const { warnings } = load(
    `server: {}\nclients: {payloaders: [::1]}\n${many}\n${'x'.repeat(100_000)}: 1`,
  )
  assert.equal(warnings.length, 101)
  assert.equal(warnings.at(-1), '199901 more warnings are not shown')
})

test('a key given twice is told with both lines, and the last counts', () => {
  const { settings, warnings } = load('server:\n  port: 1\n  port: 2\nclients: {payloaders: [::1]}')
  assert.equal(settings.server.port, 2)
  assert.match(
    warnings.join(),
    /line 3: the key port is given again \(first on line 2\)\. The last one counts$/,
  )
})

test('anchors and merge keys work in settings', () => {
  const { settings, warnings } = load(
    'server: {}\nclients: &c\n  payloaders: &p [::1]\n  trust_proxy: *p\nlimits: {<<: {topics: 7}}',
  )
  assert.deepEqual(warnings, [])
  assert.equal(settings.clients.trustProxy[0]?.text, '::1')
  assert.equal(settings.limits.topicsMax, 7)
})

test('without payloaders the operator is warned that nobody may publish', () => {
  for (const clients of ['{}', '{payloaders: []}', '{payloaders: ~}'])
    assert.match(
      load(`server: {}\nclients: ${clients}`).warnings.join(),
      /payloaders lists no address, so nobody may publish/,
    )
})

test('addresses keep their text and say where they stand', () => {
  const { payloaders } = load(
    'server: {}\nclients:\n  payloaders:\n    - 127.0.0.1/24\n    - ::1\n',
  ).settings.clients
  assert.deepEqual(
    payloaders.map(({ text, where }) => [text, where.replace(/^.*pubsub\.yaml/, 'pubsub.yaml')]),
    [
      ['127.0.0.1/24', 'pubsub.yaml, line 4, column 7: clients.payloaders'],
      ['::1', 'pubsub.yaml, line 5, column 7: clients.payloaders'],
    ],
  )
  assert.match(
    refusedClients('payloaders: 127.0.0.1'),
    /line 2, column \d+: clients\.payloaders must be a list, not text/,
  )
  assert.match(refusedClients('payloaders: [~]'), /clients\.payloaders must be text, not empty/)
  assert.match(
    refusedClients('trust_proxy: [[::1]]'),
    /clients\.trust_proxy must be text, not a list/,
  )
})

test('numbers may be quoted or grouped, and have a range', () => {
  assert.equal(loadServer('port: "0"').port, 0)
  assert.equal(loadServer('port: 65_535').port, 65_535)
  for (const port of [
    '65536',
    '-1',
    '1.5',
    '0x10',
    '007',
    '1e3',
    'http',
    '""',
    '_1',
    '9'.repeat(400),
  ])
    assert.match(
      refusedServer(`port: ${port}`),
      /line 1, column \d+: server\.port must (be a whole number from 0 to 65535|not be an empty text)/,
    )
  assert.match(refusedServer('port: [1]'), /server\.port must be text, not a list/)
  assert.match(
    refusal('server: {}\nclients: {}\nlimits: {json_depth: 0}'),
    /line 3, column \d+: limits\.json_depth must be a whole number from 1/,
  )
})

test('sizes are bytes, KiB, MiB or GiB', () => {
  for (const [written, bytes] of [
    ['1', 1],
    ['"64KiB"', 65_536],
    ['1 mib', 1_048_576],
    ['1.5KiB', 1_536],
    ['1MB', 1_000_000],
    ['1k', 1_024],
    ['102_400', 102_400],
  ])
    assert.equal(loadServer(`max_payload_size: ${written}`).payloadBytesMax, bytes)
  for (const written of ['0', '1.5', '1TB', '-1', '65MiB', '68MB', 'constructor', '1constructor'])
    assert.match(
      refusedServer(`max_payload_size: ${written}`),
      /server\.max_payload_size must be a number of bytes from 1 to 67108864/,
    )
})

test('any number of seconds, minutes, hours or days is that many ms', () => {
  const units = {
    '': 1_000,
    s: 1_000,
    m: 60_000,
    h: 3_600_000,
    d: 86_400_000,
    S: 1_000,
    M: 60_000,
    H: 3_600_000,
    D: 86_400_000,
  }
  const unit = fc.constantFrom(...Object.entries(units))
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 36_500_000 }),
      unit,
      fc.boolean(),
      (thousandths, [name, ms], isQuoted) => {
        const written = `${thousandths / 1_000}${name}`
        const { maxAgeMs } = loadServer(
          `backlog: {max_age: ${isQuoted ? `"${written}"` : written}}`,
        ).backlog
        assert.equal(maxAgeMs, Math.round((thousandths / 1_000) * ms))
      },
    ),
  )
})

test('a duration too short for a ms is not no duration', () => {
  assert.equal(loadServer('backlog: {max_age: 0.00001}').backlog.maxAgeMs, 1)
  assert.equal(loadServer('backlog: {max_age: 0s}').backlog.maxAgeMs, 0)
})

test('an unknown unit is refused', () => {
  for (const age of ['10x', '1y', '-1s', '1h30', 's', '1 2s', '1e5', '99999d', '""'])
    assert.match(
      refusedServer(`backlog: {max_age: ${age}}`),
      /line 1, column \d+: server\.backlog\.max_age must /,
    )
  assert.match(
    refusedServer('backlog: {max_age: 10x}'),
    /a duration from 0 to 36500d \(45s, 30m, 12h, 7d, or a number of seconds\), not "10x"/,
  )
  assert.match(
    refusal('server: {}\nclients: {}\nlimits: {head_timeout: 0}'),
    /limits\.head_timeout must be a duration from 0\.1s to 24d/,
  )
})

test('secure topics are secured however they are written, or refused', () => {
  assert.deepEqual(loadClients('secure_topics: [commit, 007, "8"]').secureTopics, [
    'commit',
    '007',
    '8',
  ])
  assert.deepEqual(loadClients('secure_topics: 0x1F').secureTopics, ['0x1F'])
  assert.deepEqual(loadClients('secure_topics: ~').secureTopics, [])
  assert.match(
    refusedClients('secure_topics: {commit: x}'),
    /line 2, column \d+: clients\.secure_topics must be a list, not a map/,
  )
  assert.match(refusedClients('secure_topics: [commit, ~]'), /must be text, not empty/)
  assert.match(refusedClients('secure_topics: ""'), /must not be an empty text/)
  assert.match(refusedClients('secure_topics: [a/b]'), /no topic has a slash, as "a\/b" does/)
})

test('old-school user agents are texts, and an empty one is told to be part of all', () => {
  assert.deepEqual(loadClients('oldschoolers: [svnwcsub, 1.0]').oldschoolers, ['svnwcsub', '1.0'])
  const { settings, warnings } = load(
    'server: {}\nclients: {payloaders: [::1], oldschoolers: [a, ""]}',
  )
  assert.deepEqual(settings.clients.oldschoolers, ['a', ''])
  assert.match(
    warnings.join(),
    /line 2, column \d+: clients\.oldschoolers has an empty text, which is part of every User-Agent/,
  )
  assert.match(refusedClients('oldschoolers: [~]'), /clients\.oldschoolers must be text, not empty/)
})

test('bad_credentials is anonymous or reject', () => {
  assert.equal(loadClients('bad_credentials: reject').badCredentials, 'reject')
  assert.match(
    refusedClients('bad_credentials: Reject'),
    /clients\.bad_credentials must be anonymous or reject, not "Reject"/,
  )
})

test('a backlog is kept where storage says, in memory where it says nothing', () => {
  const { storage, durability, reserveBytes } = loadServer(
    'backlog: {storage: data/x, durability: os, reserve_bytes: 1MiB}',
  ).backlog
  assert.deepEqual([storage, durability, reserveBytes], ['data/x', 'os', 1_048_576])
  assert.equal(loadServer('backlog: {storage: ~}').backlog.storage, null)
  assert.match(
    refusedServer('backlog: {durability: fsync}'),
    /server\.backlog\.durability must be disk or os/,
  )
})

test('what is not served yet is told, and nothing that stands there', () => {
  for (const queues of ['{queue: {secret: s3cret}}', '[s3cret]', 's3cret']) {
    const { warnings } = load(`server: {}\nclients: {payloaders: [::1]}\nsqs: ${queues}`)
    assert.equal(warnings.length, 1)
    assert.match(warnings[0]!, /line 3, column \d+: sqs is not served yet: nothing is fetched/)
    assert.doesNotMatch(warnings[0]!, /s3cret/)
  }
})

test('origins are exact, as a browser sends them', () => {
  const exact = ['https://a.example', 'http://localhost:8080', 'http://[::1]:1']
  assert.deepEqual(loadServer(`cors: {origins: ${JSON.stringify(exact)}}`).cors.origins, exact)
  for (const other of [
    'a.example',
    'https://a.example/',
    'https://A.example',
    'https://a.example:443',
    'null',
    'ftp://a.example',
    'https://u@a.example',
    '',
  ])
    assert.match(
      refusedServer(`cors: {origins: [${JSON.stringify(other)}]}`),
      /line 1, column \d+: server\.cors\.origins must /,
    )
})

test('origins are off, any, or a list, which may hold any beside others', () => {
  for (const [written, origins] of [
    ['off', []],
    ['[]', []],
    ['', []],
    ['any', ['*']],
    ['[any]', ['*']],
    ['["*", "https://a.example"]', ['*', 'https://a.example']],
  ] as const)
    assert.deepEqual(loadServer(`cors: {origins: ${written}}`).cors.origins, origins)
  for (const other of ['https://a.example', 'on', '{a: b}'])
    assert.match(
      refusedServer(`cors: {origins: ${other}}`),
      /line 1, column \d+: server\.cors\.origins must be /,
    )
})

test('host names come in lower case, without scheme and port', () => {
  assert.deepEqual(loadServer('hostnames: [PubSub.example.org, localhost]').hostnames, [
    'pubsub.example.org',
    'localhost',
  ])
  for (const other of ['a.example:80', 'http://a.example', 'a..b', '.a', 'a b', 'a/'])
    assert.match(refusedServer(`hostnames: ["${other}"]`), /server\.hostnames must list host names/)
})

test('booleans are true, yes, on and their opposites', () => {
  for (const [written, value] of [
    ['true', true],
    ['YES', true],
    ['on', true],
    ['False', false],
    ['no', false],
    ['"off"', false],
  ] as const)
    assert.equal(loadClients(ldapWith({ starttls: written })).ldap?.startTls, value)
  assert.match(
    refusedClients(ldapWith({ starttls: '1' })),
    /clients\.ldap\.starttls must be true or false, not "1"/,
  )
})

test('no text in a message can move the cursor of a terminal', () => {
  assert.match(
    refusedServer('port: "\\e[31m\\r\\n\\u2028"'),
    /^pubsub\.yaml, line 1, column \d+: [ -~]+$/,
  )
  assert.match(
    refusedServer('tls: {port: 1, key: x, cert: "\\e[31m\\r\\n"}'),
    /^pubsub\.yaml, line 1, column \d+: [ -~]+$/,
  )
})

/** Settings of TLS with files of these contents. */
function tls(contents: Record<string, string>, port = '0') {
  using files = new TemporaryFiles()
  const paths = Object.entries(contents).map(
    ([key, text]) => `${key}: ${files.write(`${key}.pem`, text)}`,
  )
  const file = files.write(
    'pubsub.yaml',
    `server: {port: 2069, tls: {port: ${port}, ${paths.join(', ')}}}\nclients: {}`,
  )
  return loadSettings(file).settings.server.tls
}

test('the files of TLS are read, the chain behind the certificate', () => {
  assert.deepEqual(tls({ cert: FIRST.certPem, key: FIRST.keyPem }), { port: 0, ...FIRST })
  assert.equal(
    tls({ cert: FIRST.certPem, key: FIRST.keyPem, chain: SECOND.certPem })?.certPem,
    FIRST.certPem + SECOND.certPem,
  )
})

test('TLS without a port, certificate or key is refused', () => {
  assert.match(refusedServer('tls: {}'), /server\.tls\.port is missing/)
  assert.match(refusedServer('tls: on'), /server\.tls must be a map, not text/)
  assert.throws(() => tls({ cert: FIRST.certPem }), /server\.tls\.key is missing/)
  assert.throws(() => tls({ key: FIRST.keyPem }), /server\.tls\.cert is missing/)
})

test('TLS with files that are missing, broken or do not belong together is refused', () => {
  const locked = createPrivateKey(FIRST.keyPem)
    .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
    .toString()
  assert.match(
    refusedServer('tls: {port: 1, cert: /nowhere/c.pem, key: x}'),
    /server\.tls\.cert is not usable: \/nowhere\/c\.pem cannot be read: ENOENT/,
  )
  assert.throws(
    () => tls({ cert: FIRST.certPem, key: SECOND.keyPem }),
    /server\.tls\.key does not belong to the certificate in cert/,
  )
  assert.throws(
    () => tls({ cert: 'x', key: FIRST.keyPem }),
    /server\.tls\.cert must name a file with a PEM certificate/,
  )
  assert.throws(
    () => tls({ cert: FIRST.certPem, key: FIRST.certPem }),
    /server\.tls\.key must name a file with a PEM private key/,
  )
  assert.throws(
    () => tls({ cert: FIRST.certPem, key: locked }),
    /a PEM private key without a passphrase/,
  )
  assert.throws(
    () => tls({ cert: FIRST.certPem, key: FIRST.keyPem, chain: 'x' }),
    /server\.tls\.chain must name a file with a PEM certificate/,
  )
  assert.throws(
    () => tls({ cert: FIRST.certPem, key: FIRST.keyPem }, '2069'),
    /server has the same port 2069 twice/,
  )
})

/** A sound LDAP section in flow style with some keys replaced, or left out where `undefined`. */
function ldapWith(keys: Record<string, string | undefined>): string {
  const sound = { uri: '"ldap://x"', user_dn: 'uid=%s', base_scope: 'dc=x', acl: '{}' }
  const entries = Object.entries({ ...sound, ...keys }).filter(([, value]) => value !== undefined)
  return `ldap: {${entries.map(([key, value]) => `${key}: ${value}`).join(', ')}}`
}

test('an LDAP section gives its groups: segments by name, and secure topics apart', () => {
  const { ldap } = loadClients(
    ldapWith({
      acl: '{"cn=a,dc=x": {commits: [commit, 007], all: [], topics: [8]}, cn=__proto__: {__proto__: [b]}}',
    }),
  )
  assert.deepEqual(Array.from(ldap?.acl ?? []), [
    [
      'cn=a,dc=x',
      {
        segments: new Map<string, readonly string[]>([
          ['commits', ['commit', '007']],
          ['all', []],
        ]),
        secureTopics: ['8'],
      },
    ],
    ['cn=__proto__', { segments: new Map([['__proto__', ['b']]]), secureTopics: [] }],
  ])
  assert.deepEqual(
    [
      ldap?.membershipPatterns,
      ldap?.startTls,
      ldap?.ca,
      ldap?.timeoutMs,
      ldap?.cacheMs,
      ldap?.recheckMs,
      ldap?.graceMs,
      ldap?.connectionsMax,
    ],
    [[], false, null, 10_000, 30_000, 300_000, 3_600_000, 4],
  )
})

test('an LDAP section that lacks something or has a wrong type is refused', () => {
  assert.match(
    refusedClients(ldapWith({ user_dn: undefined })),
    /clients\.ldap\.user_dn is missing, and so is search: one of them must say/,
  )
  assert.match(refusedClients(ldapWith({ user_dn: '[x]' })), /clients\.ldap\.user_dn must be/)
  for (const key of ['uri', 'base_scope', 'acl']) {
    assert.match(
      refusedClients(ldapWith({ [key]: undefined })),
      new RegExp(`line 2, column \\d+: clients\\.ldap\\.${key} is missing`),
    )
    assert.match(
      refusedClients(ldapWith({ [key]: '[x]' })),
      new RegExp(`line 2, column \\d+: clients\\.ldap\\.${key} must be`),
    )
  }
  for (const user_dn of ['uid=x', 'uid=%s,cn=%s'])
    assert.match(
      refusedClients(ldapWith({ user_dn: `"${user_dn}"` })),
      /user_dn must have %s exactly once/,
    )
  for (const timeout of ['11s', '0', 'soon'])
    assert.match(
      refusedClients(ldapWith({ timeout })),
      /timeout must be a duration from 0\.1s to 10s/,
    )
  assert.match(refusedClients(ldapWith({ ca: '/nowhere' })), /clients\.ldap\.ca is not usable/)
  assert.match(
    refusedClients(ldapWith({ uri: '"ldaps://x"', starttls: 'on' })),
    /starttls is for ldap:\/\/ only/,
  )
  assert.match(refusedClients('ldap: ldap://x'), /clients\.ldap must be a map, not text/)
})

/** A sound LDAP section with a search in place of `user_dn`, some of whose keys are replaced. */
function searchWith(keys: Record<string, string | undefined>, others = {}): string {
  const sound = { base: 'dc=x', filter: '"(uid=%s)"' }
  const entries = Object.entries({ ...sound, ...keys }).filter(([, value]) => value !== undefined)
  const search = `{${entries.map(([key, value]) => `${key}: ${value}`).join(', ')}}`
  return ldapWith({ user_dn: undefined, search, ...others })
}

test('a search says where users are, by what they are found, and who searches', () => {
  using files = new TemporaryFiles()
  const bare = loadClients(searchWith({})).ldap
  assert.equal(bare?.userDn, null)
  assert.deepEqual(bare?.search, { bindAs: null, base: 'dc=x', filter: '(uid=%s)' })
  for (const contents of ['s3cret word ', 's3cret word \n', 's3cret word \r\n']) {
    const password_file = files.write('password', contents)
    const { ldap } = loadClients(searchWith({ bind_dn: '"cn=a,dc=x"', password_file }))
    assert.deepEqual(ldap?.search?.bindAs, { dn: 'cn=a,dc=x', password: 's3cret word ' })
  }
  const password_file = files.write('password', 's3cret')
  for (const bind_dn of ['pubsubd@corp.example', '"CORP\\\\pubsubd"'])
    assert.ok(loadClients(searchWith({ bind_dn, password_file })).ldap?.search?.bindAs)
})

test('a search that cannot work is refused, and no password is told', () => {
  using files = new TemporaryFiles()
  const sound = files.write('password', 's3cret')
  for (const [keys, told] of [
    [{ base: undefined }, /search\.base is missing/],
    [{ base: 'here' }, /search\.base "here" is no DN/],
    [{ filter: undefined }, /search\.filter is missing/],
    [{ filter: '"(uid=x)"' }, /search\.filter cannot work: filter "\(uid=x\)" has no %s/],
    [{ filter: '"(member=%d)"' }, /search\.filter cannot work: /],
    [{ filter: '"(uid=%s"' }, /search\.filter cannot work: .* is no LDAP filter/],
    [{ filter: '"(uid=*%s*)"' }, /search\.filter cannot work: .* compares no attribute/],
    [{ bind_dn: 'cn=a' }, /search\.bind_dn needs password_file/],
    [{ password_file: sound }, /search\.password_file needs bind_dn/],
    [{ bind_dn: 'EXTERNAL', password_file: sound }, /search\.bind_dn must be a DN, or user@domain/],
    [{ bind_dn: 'cn=a', password_file: '/nowhere' }, /password_file is not usable: .*ENOENT/],
    ...['', '\n', 'two\nlines\n', 's3\0cret'].map(
      (contents, n) =>
        [
          { bind_dn: 'cn=a', password_file: files.write(`wrong-${n}`, contents) },
          /password_file must name a file with one line, the password; \S+ has none, or more/,
        ] as const,
    ),
  ] as const) {
    const message = refusedClients(searchWith(keys))
    assert.match(message, told)
    assert.doesNotMatch(message, /s3/)
  }
  assert.match(
    refusedClients(searchWith({}, { user_dn: 'uid=%s' })),
    /clients\.ldap\.search finds the DN of a user, so take out user_dn/,
  )
})

test('what contradicts each other is told beside all else that is wrong', () => {
  const told = refusedClients(
    searchWith(
      { filter: 'x', bind_dn: 'cn=a' },
      { uri: '"ldaps://x"', starttls: 'on', user_dn: '"%s@x"', membership_patterns: '[a=%d, b]' },
    ),
  )
  for (const each of [
    /search\.filter cannot work/,
    /search\.bind_dn needs password_file/,
    /starttls is for ldap:\/\/ only/,
    /membership pattern "b" has no %s/,
  ])
    assert.match(told, each)
  const both = refusedClients(ldapWith({ user_dn: undefined, uri: 'x', acl: undefined }))
  assert.match(both, /uri must be .*acl is missing.*user_dn is missing, and so is search/)
})

test('the DN of a user is known where it is searched for, or where user_dn is one', () => {
  const { ldap } = loadClients(
    searchWith({}, { membership_patterns: '[member=%d]', member_of: 'memberOf' }),
  )
  assert.deepEqual([ldap?.membershipPatterns, ldap?.memberOf], [['member=%d'], 'memberOf'])
  assert.ok(loadClients(ldapWith({ membership_patterns: '[member=%d]' })).ldap)
  for (const others of [{ membership_patterns: '[member=%d]' }, { member_of: 'memberOf' }])
    assert.match(
      refusedClients(ldapWith({ user_dn: '"%s@x"', ...others })),
      /clients\.ldap\.user_dn is no DN, which %d and member_of need, but "%s@x"; take search/,
    )
  for (const [member_of, inFilter] of [
    ['memberOf:1.2.840.113556.1.4.1941', 'memberOf:1.2.840.113556.1.4.1941:'],
    ['"memberOf:1.2.840.113556.1.4.1941:"', 'memberOf:1.2.840.113556.1.4.1941:'],
    ['isMemberOf', 'isMemberOf'],
    ['a:caseExactMatch', 'a:caseExactMatch:'],
  ] as const)
    assert.equal(loadClients(ldapWith({ member_of })).ldap?.memberOf, inFilter)
  for (const member_of of [
    '',
    '(memberOf=x)',
    'memberOf=',
    'memberOf:',
    'a:b:c',
    'a::b',
    '*',
    'a b',
    'ä',
  ])
    assert.match(refusedClients(ldapWith({ member_of: `"${member_of}"` })), /ldap\.member_of must /)
})

/** The DNs of the acl of which it is told that they are not below base_scope. */
function outsideOf(section: string): readonly (string | undefined)[] {
  return load(`server: {}\nclients: {payloaders: [::1], ${section}}`).warnings.map(
    (warning) => /has "(.*)" in its acl, which is not below base_scope/.exec(warning)?.[1],
  )
}

test('a group that nobody can be found in is told, and a user of the acl is none', () => {
  const acl = '{"cn=a,ou=groups,dc=x": [a], "uid=bob,dc=y": [b], "cn=c,dc=z": [c]}'
  const base_scope = '"ou=groups, DC=X"'
  assert.deepEqual(outsideOf(ldapWith({ acl, base_scope, user_dn: '"uid=%s,dc=y"' })), [
    'cn=c,dc=z',
  ])
  assert.deepEqual(outsideOf(searchWith({ base: 'dc=y' }, { acl, base_scope })), ['cn=c,dc=z'])
})

test('an LDAP address is ldap or ldaps with a host, and credentials in it are not told', () => {
  for (const uri of [
    'x',
    'http://x',
    'ldap://',
    'ldapi:///x',
    'ldap://u:s3cret@x',
    'ldaps://s3cret@x',
    's3cret',
  ]) {
    const message = refusedClients(ldapWith({ uri: `"${uri}"` }))
    assert.match(message, /clients\.ldap\.uri must be ldap:\/\/ or ldaps:\/\/ and a host/)
    assert.doesNotMatch(message, /s3cret/)
  }
  assert.equal(loadClients(ldapWith({ uri: '"ldaps://[::1]:636"' })).ldap?.uri, 'ldaps://[::1]:636')
})

test('a colon at the end of a pattern is none of it, and other maps are no patterns', () => {
  for (const written of [
    '"member=%s:"',
    'member=%s: ',
    '"member=%s": ~',
    '{member=%s: }',
    'member=%s',
  ])
    assert.deepEqual(
      loadClients(ldapWith({ membership_patterns: `[${written}]` })).ldap?.membershipPatterns,
      ['member=%s'],
    )
  for (const written of ['{member=%s: x}', '{a=%s: , b=%s: }', '{}', '[a=%s]', '~'])
    assert.match(
      refusedClients(ldapWith({ membership_patterns: `[${written}]` })),
      /clients\.ldap\.membership_patterns must be text, not /,
    )
  assert.match(
    refusedClients(ldapWith({ membership_patterns: '[member=x]' })),
    /membership pattern "member=x" has no %s/,
  )
})

test('a group may list the topics of its one segment, but not none, which would be all private events', () => {
  const { ldap } = loadClients(ldapWith({ acl: '{cn=a: [b, 007], cn=c: {x: [y]}}' }))
  assert.deepEqual(
    Array.from(ldap?.acl ?? [], ([dn, { segments }]) => [dn, ...segments]),
    [
      ['cn=a', ['', ['b', '007']]],
      ['cn=c', ['x', ['y']]],
    ],
  )
  assert.match(
    refusedClients(ldapWith({ acl: '{cn=a: []}' })),
    /clients\.ldap\.acl\."cn=a" must list topics; where all private events are meant, write "all: \[\]"/,
  )
  assert.match(
    refusedClients(ldapWith({ acl: '{cn=a: [[b]]}' })),
    /acl\."cn=a" must be text, not a list/,
  )
})

test('an LDAP segment without a list is refused, as an empty list would show everything', () => {
  for (const segment of ['~', 'commit', '{}', '[~]', '[[a]]'])
    assert.match(
      refusedClients(ldapWith({ acl: `{cn=a: {commits: ${segment}}}` })),
      /clients\.ldap\.acl\."cn=a"\.commits must be/,
    )
})
