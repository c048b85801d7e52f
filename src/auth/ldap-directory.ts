import { createHmac, randomBytes } from 'node:crypto'
import type { LogLevel } from '../ops/logger.ts'
import { SeldomReport } from '../ops/seldom-report.ts'
import { addressBlock } from './address-block.ts'
import { canonicalDn } from './distinguished-name.ts'
import { ExpiringCache } from './expiring-cache.ts'
import { ANONYMOUS, type Credentials, type Identity } from './identity.ts'
import { LdapServer, type LdapServerOptions } from './ldap-connection.ts'
import {
  FIRST,
  LdapConnections,
  type LdapConnectionsOptions,
  TooManyWaitingError,
} from './ldap-connections.ts'
import { LiveLogin } from './live-login.ts'
import { LdapLookup, type LdapLookupOptions, type LdapUser } from './ldap-lookup.ts'
import { asciiLine, LdapAnswerError, LdapResultError, OVERLOADED_CODES } from './ldap-result.ts'
import type { Directory, DirectoryResult } from './logins.ts'
import { NAME_COMPARED_MAX } from './name.ts'
import { OptionError } from './option-error.ts'
import { rightsOf } from './rights-of.ts'

export interface LdapDirectoryOptions
  extends LdapServerOptions, LdapConnectionsOptions, LdapLookupOptions {
  /** What the members of a group, or a single user, may do; by DN. */
  readonly acl: ReadonlyMap<string, LdapGrant>
  /** An accepted login is not asked again for so long. A refused one for as long, but at most 5 s. */
  readonly cacheMs: number
  /** A login that somebody listens to is asked again so often. */
  readonly recheckMs: number
  /** How long after a due recheck such a login holds when the directory cannot be asked. */
  readonly graceMs: number
}

export interface LdapGrant {
  /** Segment name to topics. */
  readonly segments: ReadonlyMap<string, readonly string[]>
  readonly secureTopics: readonly string[]
}

/**
 * Told once when the directory is out of reach and once when it is back, and of answers that do not say who somebody is; seldom, if
 * that goes on and on.
 */
export type LdapLog = (level: LogLevel, message: string) => void

/** The users of an LDAP directory. They prove their password by a simple bind; their groups decide what they may. */
export class LdapDirectory implements Directory, AsyncDisposable {
  readonly #options: LdapDirectoryOptions
  readonly #outages: SeldomReport
  readonly #results: SeldomReport
  readonly #crowds: SeldomReport
  readonly #server: LdapServer
  readonly #connections: LdapConnections
  readonly #lookup: LdapLookup
  readonly #grants: ReadonlyMap<string, LdapGrant>
  readonly #cache = new ExpiringCache<Answer>(CACHED_MAX)
  readonly #cacheSecret = randomBytes(32)
  readonly #asking = new Map<string, Promise<Answer>>()
  readonly #open = new Map<string, OpenLogins>()
  #recheckTimer: NodeJS.Timeout | undefined
  #rechecking: Promise<void> | null = null
  #isAway = false
  #isDisposed = false

  /** @throws {OptionError} */
  constructor(options: LdapDirectoryOptions, log: LdapLog) {
    this.#options = options
    this.#outages = new SeldomReport(log, 'warn')
    this.#results = new SeldomReport(log, 'warn')
    this.#crowds = new SeldomReport(log, 'warn')
    this.#server = new LdapServer(options)
    this.#connections = new LdapConnections(this.#server, options)
    this.#grants = grantsByDn(options.acl)
    this.#lookup = new LdapLookup(options, options.acl.keys(), log)
  }

  async authenticate(
    { name, password }: Credentials,
    address: string | null,
  ): Promise<DirectoryResult> {
    // To bind without a password succeeds for any name in many directories (RFC 4513, section 5.1.2), and to bind without a
    // name may; where strings end at a NUL, `\0x` is such an empty password.
    if (name === '' || password === '' || `${name}${password}`.includes('\0'))
      return {
        type: 'refused',
        reason: 'an empty name or password, which no directory is asked about',
      }
    if (name.length > NAME_COMPARED_MAX || password.length > PASSWORD_LENGTH_MAX)
      return { type: 'refused', reason: 'too long a name or password' }
    const key = this.#keyOf(name, password)
    const answer = this.#cache.get(key) ?? (await this.#ask(key, { name, password }, address))
    if (answer.type !== 'accepted') return answer

    const { identity, names, askedAtMs } = answer
    const credentials = { name, password, identity, names, confirmedAtMs: askedAtMs }
    const login: LiveLogin = new LiveLogin(identity, (isWatched) => {
      if (isWatched) this.#watch(key, login, credentials)
      else this.#unwatch(key, login)
    })
    return { type: 'accepted', login, names }
  }

  endLogins(isEnded: (name: string) => boolean): void {
    for (const [key, { name, names }] of this.#open)
      if ([name, ...names].some(isEnded)) this.#end(key)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true
    clearInterval(this.#recheckTimer)
    this.#connections[Symbol.dispose]()
    await Promise.all([...this.#asking.values(), this.#rechecking])
  }

  /** Equal logins at the same time share a question. */
  #ask(key: string, asked: NameAndPassword, address: string | null): Promise<Answer> {
    const before = this.#asking.get(key)
    if (before !== undefined) return before
    const asking = this.#question(key, asked, addressBlock(address)).finally(() =>
      this.#asking.delete(key),
    )
    this.#asking.set(key, asking)
    return asking
  }

  async #question(
    key: string,
    asked: NameAndPassword,
    share: string | typeof FIRST,
  ): Promise<Answer> {
    const answer = await this.#answerTo(asked, share)
    this.#take(key, answer)
    return answer
  }

  async #answerTo(
    { name, password }: NameAndPassword,
    share: string | typeof FIRST,
  ): Promise<Answer> {
    const askedAtMs = performance.now()
    try {
      const found = await this.#connections.use(
        (client) => this.#lookup.lookUp(client, name, password),
        share,
      )
      this.#isBack()
      if (found.type === 'refused') return found
      return { type: 'accepted', identity: this.#identityOf(found), names: found.names, askedAtMs }
    } catch (error) {
      if (error instanceof TooManyWaitingError) {
        this.#crowds.add(error.message)
        return { type: 'postponed' }
      }
      if (this.#isDisposed) return { type: 'unavailable', reason: 'cannot be asked' }
      if (error instanceof LdapAnswerError) return this.#withoutAnswer(error)
      this.#isOut(`cannot be asked: ${reasonOf(error)}`)
      return { type: 'unavailable', reason: 'cannot be asked' }
    }
  }

  /** It is there, but does not say who that is. */
  #withoutAnswer(error: LdapAnswerError): Answer {
    if (error instanceof LdapResultError && OVERLOADED_CODES.has(error.code))
      this.#isOut(error.message)
    else {
      this.#isBack()
      this.#results.add(`LDAP directory ${this.#server.name} ${error.message}`, error.toPeers)
    }
    return { type: 'unavailable', reason: error.toPeers }
  }

  #isOut(why: string): void {
    if (!this.#isAway) this.#outages.add(`LDAP directory ${this.#server.name} ${why}`)
    this.#isAway = true
  }

  #isBack(): void {
    if (this.#isAway) this.#outages.over(`LDAP directory ${this.#server.name} answers again`)
    this.#isAway = false
  }

  #identityOf({ name, dns }: LdapUser): Identity {
    const grants = dns.flatMap((dn) => this.#grants.get(dn) ?? [])
    return {
      name,
      rights: rightsOf(grants.flatMap(({ segments }) => [...segments.values()])),
      secureTopics: new Set(grants.flatMap(({ secureTopics }) => secureTopics)),
    }
  }

  /**
   * The DNs of the ACL, as written there, whose rights a name has, and how the directory spells the name. `password` `null`: asked
   * about without proof; by a `user_dn` as anonymous, who may see less. `refusal`: why the directory refuses the name or the password.
   * @throws {Error} it cannot be asked, or does not say.
   */
  grantsOf(
    name: string,
    password: string | null,
  ): Promise<
    | { readonly names: readonly string[]; readonly dns: readonly string[] }
    | { readonly refusal: string }
  > {
    return this.#connections.use(async (client) => {
      const found = await this.#lookup.lookUp(client, name, password)
      if (found.type === 'refused') return { refusal: found.reason }
      const held = (text: string) => found.dns.includes(canonicalDn(text) ?? '')
      return { names: found.names, dns: [...this.#options.acl.keys()].filter(held) }
    }, FIRST)
  }

  /** What an answer means for the cache and for open logins. */
  #take(key: string, answer: Answer): void {
    const { cacheMs } = this.#options
    const open = this.#open.get(key)
    if (answer.type === 'refused') {
      this.#cache.set(key, answer, Math.min(cacheMs, REFUSAL_CACHED_MAX_MS))
      this.#end(key)
    } else if (answer.type === 'accepted') {
      this.#cache.set(key, answer, cacheMs)
      if (open === undefined) return
      open.confirmedAtMs = answer.askedAtMs
      open.identity = answer.identity
      open.names = answer.names
      for (const login of open.logins) login.change(answer.identity)
    }
  }

  #watch(key: string, login: LiveLogin, credentials: Omit<OpenLogins, 'logins'>): void {
    const open = this.#open.get(key) ?? { ...credentials, logins: new Set() }
    open.logins.add(login)
    this.#open.set(key, open)
    const { recheckMs, graceMs } = this.#options
    const tickMs = Math.max(10, Math.min(1000, recheckMs, graceMs))
    this.#recheckTimer ??= setInterval(() => this.#tick(), tickMs).unref()
  }

  #unwatch(key: string, login: LiveLogin): void {
    const open = this.#open.get(key)
    open?.logins.delete(login)
    if (open?.logins.size === 0) this.#open.delete(key)
    this.#stopTickingWhenIdle()
  }

  #end(key: string): void {
    const open = this.#open.get(key)
    this.#open.delete(key)
    this.#stopTickingWhenIdle()
    for (const login of open?.logins ?? []) login.change(ANONYMOUS)
  }

  #stopTickingWhenIdle(): void {
    if (this.#open.size > 0) return
    clearInterval(this.#recheckTimer)
    this.#recheckTimer = undefined
  }

  #tick(): void {
    const { recheckMs, graceMs } = this.#options
    for (const [key, { confirmedAtMs }] of this.#open)
      if (performance.now() >= confirmedAtMs + recheckMs + graceMs) this.#end(key)
    this.#rechecking ??= this.#recheck().finally(() => {
      this.#rechecking = null
    })
  }

  /**
   * One after the other, and before all who wait: however many are due, those who log in now hardly wait for it, and however
   * many log in, open streams keep their rights.
   */
  async #recheck(): Promise<void> {
    const dueMs = performance.now() - this.#options.recheckMs
    for (const [key, open] of [...this.#open].filter(
      ([, { confirmedAtMs }]) => confirmedAtMs <= dueMs,
    )) {
      if (this.#open.get(key) !== open) continue
      const answer = await this.#question(key, open, FIRST)
      if (answer.type !== 'unavailable') continue
      // The others would fare the same. They come first at the next tick, in case it is this one's own trouble.
      if (this.#open.delete(key)) this.#open.set(key, open)
      break
    }
  }

  /** No password stays in memory for the cache's sake. */
  #keyOf(name: string, password: string): string {
    const credentials = JSON.stringify([name, password])
    return createHmac('sha256', this.#cacheSecret).update(credentials).digest('base64')
  }
}

type Answer =
  | {
      readonly type: 'accepted'
      readonly identity: Identity
      readonly names: readonly string[]
      readonly askedAtMs: number
    }
  | { readonly type: 'refused'; readonly reason: string }
  | { readonly type: 'unavailable'; readonly reason: string }
  | { readonly type: 'postponed' }

/** As typed. */
interface NameAndPassword {
  readonly name: string
  readonly password: string
}

/** Logins with the same credentials that somebody listens to: rechecked with one question. */
interface OpenLogins extends NameAndPassword {
  identity: Identity
  /** All that the directory knows its user by. */
  names: readonly string[]
  confirmedAtMs: number
  readonly logins: Set<LiveLogin>
}

/** Some 300 bytes each. */
const CACHED_MAX = 10_000

/** In UTF-16 units. Nobody has longer ones, and each would go to the directory for every guess. */
const PASSWORD_LENGTH_MAX = 1_024

/** Spares the directory (and its lock-out counters) a client that retries in a loop; short for those who mistyped. */
const REFUSAL_CACHED_MAX_MS = 5_000

function grantsByDn(acl: ReadonlyMap<string, LdapGrant>): ReadonlyMap<string, LdapGrant> {
  const grants = new Map<string, LdapGrant>()
  for (const [text, grant] of acl) {
    const dn = canonicalDn(text)
    if (dn === null) throw new OptionError(`${JSON.stringify(text)} in the LDAP acl is no DN`)
    if (grants.has(dn)) throw new OptionError(`${JSON.stringify(text)} is in the LDAP acl twice`)
    grants.set(dn, grant)
  }
  return grants
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  // Node's error for a name with several addresses, all of which refuse, has a code and no message.
  const text = error.message || ('code' in error ? String(error.code) : error.name)
  return asciiLine(text)
}
