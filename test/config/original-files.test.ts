import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadAclFile } from '../../src/config/acl-file.ts'
import { loadSettings } from '../../src/config/load.ts'
import { startServer } from '../../src/server.ts'
import { ConfigError } from '../../src/settings/config-error.ts'
import { FIRST } from './certificates.ts'
import { TemporaryFiles } from './temporary-files.ts'

/**
 * A file of the shape of PyPubSub 0.7's own: what is switched off there stands behind the same comment signs, in the same
 * places and with the same oddities. Its words are ours.
 */
const SHAPED = `# The service
server:
  port: 0
  bind: 127.0.0.1
  max_payload_size:          51200   # of one payload
  backlog:
    size:           0   # how many
    max_age:      24h   # how old
  # For HTTPS
  #tls:
  #  port: 0
  #  cert: CERT
  #  key: KEY
  #  chain: CERT
#    storage: STORAGE  # over restarts
clients:
  payloaders:
    - 127.0.0.1/24
    - 10.9.0.1/16
  oldschoolers:
    - oldclient
  secure_topics: ~
#  ldap:
#    uri: ldap://127.0.0.1:1
#    user_dn: uid=%s,ou=users,dc=example,dc=net
#    base_scope: dc=example,dc=net
#    membership_patterns:
#      - uniqueMember=uid=%s,ou=users,dc=example,dc=net:
#      - memberUid=%s
#    acl:
#      "cn=operators,ou=groups,dc=example,dc=net":
#          - hosts
#          - internal
#      uid=robin,ou=users,dc=example,dc=net:
#        - hosts
#        - wages
#sqs:
#  firstQueue:
#    queue: some-queue.fifo
#    region: eu-central-1
#    delete: true  # once it is published
#    # Without these the files of the user count
#    key: KEY-ID
#    secret: s3cret
`

const SHAPED_ACL = `# Who sees what
somebody:
  password: something
  acl:
    a_repository:
      - git
      - hidden.git
    a_list_of_mails:
      - email
      - example.net
  # Topics that are secured
  topics:
    - alpha
    - beta
`

/** The lines of an option that is switched off, by the key it begins with. */
const OPTIONS: Readonly<Record<string, RegExp>> = {
  tls: /^ {2}#tls:\n(?: {2}# {2}.*\n)+/m,
  storage: /^# {4}storage:.*\n/m,
  ldap: /^# {2}ldap:\n(?:# {4}.*\n)+/m,
  sqs: /^#sqs:\n(?:# {2}.*\n)+/m,
}

function withOptions(keys: readonly string[]): string {
  return keys.reduce((text, key) => {
    const option = OPTIONS[key]!
    assert.match(text, option)
    return text.replace(option, (lines) => lines.replaceAll(/^( *)#/gm, '$1'))
  }, SHAPED)
}

/** What such a file becomes, and what is told of it; the server has started with it, too. */
async function started(text: string) {
  using files = new TemporaryFiles()
  const certificate = files.write('cert.pem', FIRST.certPem)
  const written = text
    .replaceAll('CERT', certificate)
    .replaceAll('KEY\n', `${files.write('key.pem', FIRST.keyPem)}\n`)
    .replaceAll('STORAGE', `${files.directory}/events.json`)
  const { settings, warnings } = loadSettings(files.write('pubsub.yaml', written))
  const acl = loadAclFile(files.write('pubsub_acl.yaml', SHAPED_ACL))
  assert.deepEqual(acl.warnings, [])
  const server = await startServer(settings, acl.users)
  await server.stop()
  return {
    settings,
    warnings: warnings.map((warning) => warning.replace(/^.*?(?=pubsub\.yaml)/, '')),
  }
}

const SQS_WARNING =
  /^pubsub\.yaml, line \d+, column 1: sqs is not served yet: nothing is fetched .* stay there/

test('files of the shape of PyPubSub’s start as they are', async () => {
  const { settings, warnings } = await started(SHAPED)
  assert.deepEqual(warnings, [])
  assert.deepEqual(settings.clients.oldschoolers, ['oldclient'])
  assert.deepEqual(settings.clients.secureTopics, [])
})

test('its TLS is a second port', async () => {
  const { settings, warnings } = await started(withOptions(['tls']))
  assert.deepEqual(warnings, [])
  assert.equal(settings.server.tls?.certPem, FIRST.certPem + FIRST.certPem)
})

test('its storage starts, and that a size of 0 keeps nothing in it is told', async () => {
  const { settings, warnings } = await started(withOptions(['storage']))
  assert.match(settings.server.backlog.storage!, /events\.json$/)
  assert.deepEqual(warnings.length, 1)
  assert.match(warnings[0]!, /server\.backlog has a storage that keeps nothing, as size is 0/)
})

test('its LDAP section gives a group its list of topics as one segment, and a pattern without its colon', async () => {
  const { settings, warnings } = await started(withOptions(['ldap']))
  assert.deepEqual(warnings, [])
  const { membershipPatterns, acl } = settings.clients.ldap ?? assert.fail()
  assert.deepEqual(membershipPatterns, [
    'uniqueMember=uid=%s,ou=users,dc=example,dc=net',
    'memberUid=%s',
  ])
  assert.deepEqual(
    Array.from(acl, ([dn, { segments, secureTopics }]) => [dn, ...segments.values(), secureTopics]),
    [
      ['cn=operators,ou=groups,dc=example,dc=net', ['hosts', 'internal'], []],
      ['uid=robin,ou=users,dc=example,dc=net', ['hosts', 'wages'], []],
    ],
  )
})

test('its queues start, and that nobody fetches from them is told, without their secrets', async () => {
  const { warnings } = await started(withOptions(['sqs']))
  assert.equal(warnings.length, 1)
  assert.match(warnings[0]!, SQS_WARNING)
  assert.doesNotMatch(warnings.join(), /s3cret|KEY-ID/)
})

test('all at once they start, and what so comes to stand in the wrong section is told with the right one', async () => {
  const { settings, warnings } = await started(withOptions(Object.keys(OPTIONS)))
  assert.equal(settings.server.backlog.storage, null)
  assert.equal(warnings.length, 2)
  const [storage, queues] = warnings
  assert.match(
    storage!,
    /^pubsub\.yaml: unknown key server\.tls\.storage \(line 15\), did you mean server\.backlog\.storage\? It is ignored$/,
  )
  assert.match(queues!, SQS_WARNING)
})

test('an empty old-school client is part of every User-Agent, as there', async () => {
  const { settings, warnings } = await started(SHAPED.replace('- oldclient', "- ''"))
  assert.deepEqual(settings.clients.oldschoolers, [''])
  assert.equal(warnings.length, 1)
  assert.match(warnings[0]!, /line \d+, column \d+: clients\.oldschoolers .* every stream/)
})

test('all that is wrong with an LDAP section is told at once, each with its line', async () => {
  const section = `  ldap:
    uri: http://127.0.0.1
    user_dn: uid=robin
    base_scope: nowhere
    membership_patterns:
      - memberUid=%s
      - memberUid=robin
      - (memberUid=%s
      - {a: b}
    acl:
      operators:
        - hosts
      cn=operators,dc=net: []
      cn=others,dc=net:
        hosts: ~
        wages: [{}]
        more: some
      cn=last,dc=net: [a]
      CN=Last, dc=net: [b]
    starttls: perhaps
    member_of: (memberOf=x)
`
  const text = SHAPED.slice(0, SHAPED.indexOf('#  ldap:')) + section
  await assert.rejects(started(text), (error) => {
    assert.ok(error instanceof ConfigError, String(error))
    const lines = text.split('\n')
    const told = error.problems.map((problem) => lines[Number(/line (\d+)/.exec(problem)?.[1]) - 1])
    const sound =
      /^ *(ldap:|membership_patterns:|- memberUid=%s|acl:|- hosts|cn=others.*:|cn=last.*)$/
    const wrong = section.split('\n').filter((line) => line !== '' && !sound.test(line))
    assert.deepEqual(new Set(told), new Set(wrong))
    assert.equal(told.length, wrong.length)
    return true
  })
})
