import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { Client } from 'ldapts'
import { DEADLINE_MS } from '../deadline.ts'

export const BASE_DN = 'dc=example,dc=org'

/** What users log in as. */
export const USER_DN = `uid=%s,ou=people,${BASE_DN}`

/** Finds groups by DN (`groupOfNames`) and by name (`posixGroup`). */
export const MEMBERSHIP_PATTERNS = [`member=uid=%s,ou=people,${BASE_DN}`, '(memberUid=%s)']

/** RDNs are written by hand: the code under test escapes too. */
const PEOPLE = [
  { uid: 'alice', password: 'alice-secret', rdn: 'uid=alice' },
  { uid: 'bob', password: 'bob-secret', rdn: 'uid=bob' },
  { uid: 'carol', password: 'carol-secret', rdn: 'uid=carol' },
  {
    uid: 'Smith, "Q" <+;=>',
    password: 'odd-secret',
    rdn: 'uid=Smith\\2C \\22Q\\22 \\3C\\2B\\3B\\3D\\3E',
  },
  { uid: 'a*b(c)d\\e', password: 'odd-secret', rdn: 'uid=a*b(c)d\\5Ce' },
  { uid: '#lead', password: 'odd-secret', rdn: 'uid=\\23lead' },
  { uid: ' space ', password: 'odd-secret', rdn: 'uid=\\20space\\20' },
  { uid: 'Jürgen Müßig', password: 'pässwörd', rdn: 'uid=Jürgen Müßig' },
  { uid: 'comma,name', password: 'odd-secret', rdn: 'uid=comma\\2Cname' },
]

/**
 * Name to password. alice is in `cn=committers` and `cn=Board\, Inner`, bob in no group, carol (by her name alone) in
 * `cn=mailers`, and all with odd names in `cn=odd`, by DN. `cn=odd-posix` has those of them by name whose names a
 * `posixGroup` can hold: ASCII, no outer spaces. All groups are under `ou=groups`.
 */
export const USERS: ReadonlyMap<string, string> = new Map(
  PEOPLE.map(({ uid, password }) => [uid, password]),
)

/** Those whose login name is no part of their DN: it is their `uid`. */
const STAFF = [
  {
    rdn: 'cn=Doe\\2C Jane (x)*',
    cn: ['Doe, Jane (x)*'],
    uid: ['jdoe'],
    mail: ['jane@example.org'],
    password: 'jdoe-secret',
  },
  {
    rdn: 'cn=Poe\\2C Edgar',
    cn: ['Poe, Edgar'],
    uid: ['epoe', 'edgar'],
    mail: [],
    password: 'epoe-secret',
  },
  { rdn: 'cn=First Twin', cn: ['First Twin'], uid: ['twin'], mail: [], password: 'twin-secret' },
  { rdn: 'cn=Second Twin', cn: ['Second Twin'], uid: ['twin'], mail: [], password: 'twin-secret' },
]

export const STAFF_DN = `ou=staff,${BASE_DN}`

/** Whoever searches for them. */
export const SERVICE = { dn: `cn=pubsubd,ou=services,${BASE_DN}`, password: 'service-secret' }

export const GROUPS = {
  committers: `cn=committers,ou=groups,${BASE_DN}`,
  board: `cn=Board\\, Inner,ou=groups,${BASE_DN}`,
  mailers: `cn=mailers,ou=groups,${BASE_DN}`,
  odd: `cn=odd,ou=groups,${BASE_DN}`,
  oddPosix: `cn=odd-posix,ou=groups,${BASE_DN}`,
} as const

export interface Slapd extends AsyncDisposable {
  readonly port: number
  readonly uri: string
  readonly ldapsUri: string
  /** The CA that signed the certificate, which is good for `localhost` and `127.0.0.1`. */
  readonly caPem: string
  /** Runs with a client that may change everything. */
  asAdmin<T>(work: (client: Client) => Promise<T>): Promise<T>
  /** Number of lines of its log (connections, operations) that match, up to now. */
  logged(pattern: RegExp): Promise<number>
  stop(): Promise<void>
  /** After `stop`, with the same data, on the same ports. */
  start(): Promise<void>
}

/**
 * A real OpenLDAP directory on free ports, in a directory of its own. Like many old ones it lets a bind without a password
 * succeed. Groups that are added while it runs are named by `memberOf` of their members. `rules`: what stands in front of its
 * own access rules. `groupsOfBob`: more groups, which bob is in. Under `ou=people` there is a referral, too.
 */
export async function startSlapd({
  rules = '',
  groupsOfBob = [],
}: { rules?: string; groupsOfBob?: readonly string[] } = {}): Promise<Slapd> {
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-slapd-'))
  const config = join(directory, 'slapd.conf')
  makeCertificates(directory)
  mkdirSync(join(directory, 'data'))
  writeFileSync(config, slapdConf(directory, rules))
  writeFileSync(join(directory, 'data.ldif'), ldif(groupsOfBob))
  execFileSync('slapadd', ['-q', '-f', config, '-l', join(directory, 'data.ldif')], slapdPath())

  const [port, ldapsPort] = [await freePort(), await freePort()]
  const uri = `ldap://127.0.0.1:${port}`
  const ldapsUri = `ldaps://127.0.0.1:${ldapsPort}`
  const log: string[] = []
  let running = await runSlapd(config, uri, ldapsUri, log)

  return {
    port,
    uri,
    ldapsUri,
    caPem: readFileSync(join(directory, 'ca.pem'), 'utf8'),
    asAdmin: (work) => work(running.admin),
    async logged(pattern) {
      await running.flushLog()
      return log.filter((line) => pattern.test(line)).length
    },
    stop: () => running.stop(),
    async start() {
      running = await runSlapd(config, uri, ldapsUri, log)
    },
    async [Symbol.asyncDispose]() {
      await running.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** The end of our process, however it comes about, closes the shell's standard input. */
const KILLED_WITH_US =
  'slapd "$@" & slapd=$!; exec 3<&0; { cat <&3; kill $slapd; } >/dev/null 2>&1 & wait $slapd'

async function runSlapd(config: string, uri: string, ldapsUri: string, log: string[]) {
  const args = ['-d', 'stats', '-f', config, '-h', `${uri} ${ldapsUri}`]
  const child = spawn('sh', ['-c', KILLED_WITH_US, 'sh', ...args], {
    ...slapdPath(),
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  const exited = once(child, 'exit')
  const lines = createInterface(child.stderr).on('line', (line) => log.push(line))

  const admin = new Client({ url: uri })
  const deadlineMs = performance.now() + DEADLINE_MS
  for (;;) {
    try {
      await admin.bind(`cn=admin,${BASE_DN}`, 'admin')
      break
    } catch (cause) {
      const hasFailed = child.exitCode !== null || performance.now() > deadlineMs
      if (hasFailed) throw new Error(`slapd does not start:\n${log.join('\n')}`, { cause })
      // It says that it is starting, but not when it listens.
      await setTimeout(5)
    }
  }

  let flushes = 0
  return {
    admin,
    async flushLog() {
      const marker = `(cn=flush-${flushes++})`
      const { promise, resolve } = Promise.withResolvers<void>()
      const look = (line: string) => line.includes(marker) && resolve()
      lines.on('line', look)
      await admin.search(BASE_DN, { filter: marker })
      await promise
      lines.off('line', look)
    },
    async stop() {
      await admin.unbind()
      child.stdin.end()
      await exited
    },
  }
}

/** Debian keeps slapd where ordinary users do not look. */
function slapdPath() {
  return { env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` } }
}

function slapdConf(directory: string, rules: string): string {
  const schemas = ['core', 'cosine', 'inetorgperson', 'nis']
  return `
${schemas.map((name) => `include /etc/ldap/schema/${name}.schema`).join('\n')}
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
allow bind_anon_cred bind_anon_dn
pidfile ${directory}/slapd.pid
TLSCACertificateFile ${directory}/ca.pem
TLSCertificateFile ${directory}/server.pem
TLSCertificateKeyFile ${directory}/server.key
database mdb
suffix "${BASE_DN}"
rootdn "cn=admin,${BASE_DN}"
rootpw admin
directory ${directory}/data
${rules}
access to attrs=userPassword by anonymous auth by * none
access to * by * read
overlay memberof
`
}

function ldif(groupsOfBob: readonly string[]): string {
  const people = PEOPLE.map((person) => ({ ...person, dn: `${person.rdn},ou=people,${BASE_DN}` }))
  const odd = people.filter(({ uid }) => !['alice', 'bob', 'carol'].includes(uid))
  const alice = `uid=alice,ou=people,${BASE_DN}`
  return [
    entry(BASE_DN, { objectClass: ['dcObject', 'organization'], o: ['Example'], dc: ['example'] }),
    entry(`ou=people,${BASE_DN}`, { objectClass: ['organizationalUnit'], ou: ['people'] }),
    entry(`ou=groups,${BASE_DN}`, { objectClass: ['organizationalUnit'], ou: ['groups'] }),
    entry(`ou=elsewhere,ou=people,${BASE_DN}`, {
      objectClass: ['referral', 'extensibleObject'],
      ref: ['ldap://127.0.0.1:1/dc=elsewhere'],
    }),
    entry(STAFF_DN, { objectClass: ['organizationalUnit'], ou: ['staff'] }),
    entry(`ou=services,${BASE_DN}`, { objectClass: ['organizationalUnit'], ou: ['services'] }),
    entry(SERVICE.dn, {
      objectClass: ['organizationalRole', 'simpleSecurityObject'],
      cn: ['pubsubd'],
      userPassword: [SERVICE.password],
    }),
    ...STAFF.map(({ rdn, cn, uid, mail, password }) =>
      entry(`${rdn},${STAFF_DN}`, {
        objectClass: ['inetOrgPerson'],
        cn,
        uid,
        mail,
        sn: ['somebody'],
        userPassword: [password],
      }),
    ),
    ...people.map(({ uid, dn, password }) =>
      entry(dn, {
        memberOf: uid === 'bob' ? groupsOfBob.map(groupDn) : [],
        objectClass: ['inetOrgPerson'],
        uid: [uid],
        cn: ['somebody'],
        sn: ['somebody'],
        userPassword: [password],
      }),
    ),
    ...groupsOfBob.map((name) =>
      entry(groupDn(name), {
        objectClass: ['groupOfNames'],
        member: [`uid=bob,ou=people,${BASE_DN}`],
      }),
    ),
    entry(GROUPS.committers, { objectClass: ['groupOfNames'], member: [alice] }),
    entry(GROUPS.board, { objectClass: ['groupOfNames'], member: [alice] }),
    entry(GROUPS.odd, { objectClass: ['groupOfNames'], member: odd.map(({ dn }) => dn) }),
    entry(GROUPS.mailers, { objectClass: ['posixGroup'], gidNumber: ['1'], memberUid: ['carol'] }),
    entry(GROUPS.oddPosix, {
      objectClass: ['posixGroup'],
      gidNumber: ['2'],
      memberUid: odd.map(({ uid }) => uid).filter((uid) => /^[\x21-\x7e].*[\x21-\x7e]$/.test(uid)),
    }),
  ].join('\n')
}

function groupDn(name: string): string {
  return `cn=${name},ou=groups,${BASE_DN}`
}

/** Base64 throughout, so that no text needs escapes of LDIF's own. */
function entry(dn: string, attributes: Readonly<Record<string, readonly string[]>>): string {
  const lines = Object.entries(attributes).flatMap(([name, values]) =>
    values.map((value) => `${name}:: ${base64(value)}`),
  )
  return [`dn:: ${base64(dn)}`, ...lines, ''].join('\n')
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

function makeCertificates(directory: string): void {
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-days', '2']
  openssl('req', '-x509', ...key, '-subj', '/CN=Test CA', '-keyout', 'ca.key', '-out', 'ca.pem')
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1'
  const signer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-addext', 'basicConstraints=CA:FALSE']
  const server = [
    '-subj',
    '/CN=localhost',
    '-addext',
    names,
    '-keyout',
    'server.key',
    '-out',
    'server.pem',
  ]
  openssl('req', '-x509', ...key, ...signer, ...server)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  server.close()
  await once(server, 'close')
  return address.port
}
