import {
  type Client,
  type Entry,
  InvalidCredentialsError,
  ResultCodeError,
  SASL_MECHANISMS,
} from 'ldapts'
import type { LogLevel } from '../ops/logger.ts'
import { canonicalDn, escapeDnValue, isInSubtree, nameInDn, plainDn } from './distinguished-name.ts'
import { escapeFilterValue, type FilterPattern, membershipPattern } from './filter-pattern.ts'
import {
  askedFor,
  describeResult,
  LdapAnswerError,
  LdapResultError,
  UNSEEN_CODES,
} from './ldap-result.ts'
import { OptionError } from './option-error.ts'
import { UserFilter } from './user-filter.ts'

export interface LdapLookupOptions {
  /** What a user binds as: `uid=%s,ou=people,dc=example,dc=org`. `null`: `search` finds it. */
  readonly userDn: string | null
  readonly search: LdapSearchOptions | null
  /** The entry under which groups are. */
  readonly baseScope: string
  /** Filters that a group of the user `%s`, whose entry is `%d`, matches. */
  readonly membershipPatterns: readonly string[]
  /** The attribute of a user's entry that names its groups, perhaps with a matching rule: `memberOf:1.2.3:`. `null`: none. */
  readonly memberOf: string | null
}

export interface LdapSearchOptions {
  /** Whoever searches, for users and for their groups. `null`: users are searched for without a log-in. */
  readonly bindAs: { readonly dn: string; readonly password: string } | null
  /** The entry under which users are. */
  readonly base: string
  /** Finds the entry of the user `%s`. */
  readonly filter: string
}

export type Lookup =
  | LdapUser
  /** The directory knows no such user, or not with this password: for the log, not for the peer. */
  | { readonly type: 'refused'; readonly reason: string }

export interface LdapUser {
  readonly type: 'user'
  /** As the directory has it, whichever spelling was typed. */
  readonly name: string
  /** All by which a user may log in to this entry, `name` among them. */
  readonly names: readonly string[]
  /** The user's own DN and those of its groups, in canonical form; only those that are wanted. */
  readonly dns: readonly string[]
}

/** What the directory is asked about a user, on a connection that nobody else uses meanwhile. */
export class LdapLookup {
  readonly #options: LdapLookupOptions
  readonly #timeLimitS: number
  readonly #logger: (level: LogLevel, message: string) => void
  readonly #userFilter: UserFilter | null
  readonly #patterns: readonly FilterPattern[]
  /** Those of the wanted DNs that may be groups, as they are asked for, and in canonical form. */
  readonly #groups: readonly { readonly dn: string; readonly canonical: string }[]
  /** Groups of which it was told that they are not there. */
  readonly #unseen = new Set<string>()

  /**
   * `wanted`: the DNs that may give somebody rights. No others are asked for: a directory cuts what it finds off at its limit,
   * and a user may be in more groups than that.
   * @throws {OptionError}
   */
  constructor(
    options: LdapLookupOptions & { readonly timeoutMs: number },
    wanted: Iterable<string>,
    logger: (level: LogLevel, message: string) => void,
  ) {
    const { userDn, search, baseScope, membershipPatterns, memberOf, timeoutMs } = options
    if ((userDn === null) === (search === null))
      throw new OptionError('there must be either a user_dn or a search')
    if (userDn !== null && userDn.split('%s').length !== 2)
      throw new OptionError(`user_dn ${JSON.stringify(userDn)} must have one %s for the name`)
    const asksForDn = memberOf !== null || membershipPatterns.some((each) => each.includes('%d'))
    if (asksForDn && userDn !== null && canonicalDn(userDn) === null)
      throw new OptionError(
        `user_dn ${JSON.stringify(userDn)} is no DN, which %d and member_of need; use search`,
      )
    this.#options = options
    this.#timeLimitS = Math.ceil(timeoutMs / 1000)
    this.#logger = logger
    this.#userFilter = search === null ? null : new UserFilter(search.filter)
    this.#patterns = membershipPatterns.map(membershipPattern)
    this.#groups = Array.from(wanted, (text) => ({
      dn: plainDn(text) ?? text,
      canonical: canonicalDn(text) ?? text,
    })).filter(({ dn }) => isInSubtree(dn, baseScope))
  }

  /**
   * `password` `null`: who that is, without proof.
   * @throws {LdapAnswerError} the directory does not say. {Error} it cannot be asked.
   */
  async lookUp(client: Client, name: string, password: string | null): Promise<Lookup> {
    return this.#userFilter === null
      ? this.#lookUpByDn(client, name, password)
      : this.#lookUpBySearch(client, this.#userFilter, name, password)
  }

  /**
   * The groups are those of the entry, whatever was typed: a directory takes many spellings of a name for one, and compares
   * some attributes (`memberUid`) more strictly than others. Of an entry that may not be read, or is bound to by something else
   * than its DN, the spelling is not known.
   */
  async #lookUpByDn(client: Client, typed: string, password: string | null): Promise<Lookup> {
    const userDn = this.#options.userDn!
    // Where the name is all of it, it is a DN, or user@domain, or domain\user, and there is nothing that it could escape from.
    const isWhole = userDn === '%s'
    if (isWhole && typed.trim() === '') return { type: 'refused', reason: 'an empty name' }
    const bindName = isWhole ? typed : userDn.replace('%s', () => escapeDnValue(typed))
    if (password === null) await this.#bindNameless(client)
    const refusal = password === null ? null : await this.#bindAs(client, bindName, password)
    if (refusal !== null) return refusal
    const dn = canonicalDn(bindName) === null ? null : bindName
    const [own, groups] = await Promise.all([
      dn === null ? null : this.#ownDn(client, dn),
      this.#groupsOf(client, typed, dn),
    ])
    const name = nameInDn(own ?? '', userDn) ?? typed
    const dns = name === typed ? groups : await this.#groupsOf(client, name, dn)
    return { type: 'user', name, names: [name], dns: withOwn(own, dns) }
  }

  async #lookUpBySearch(
    client: Client,
    filter: UserFilter,
    typed: string,
    password: string | null,
  ): Promise<Lookup> {
    const found = await this.#findUsers(client, filter, typed)
    if (found.length > 1) return { type: 'refused', reason: 'search.filter finds several entries' }
    const [entry] = found
    // An empty DN is nobody's, and to bind by it succeeds with any password in some directories.
    if (entry === undefined || entry.dn === '')
      return { type: 'refused', reason: 'search.filter finds no entry' }
    const names = filter.namesIn(entry)
    const [name] = names
    if (name === undefined)
      throw new LdapAnswerError(
        `shows no ${filter.attributes.join(' and no ')} of ${entry.dn}, which whoever searches must be allowed to read`,
        'does not show who that is',
      )
    if (password !== null) {
      const refusal = await this.#bindAs(client, entry.dn, password)
      if (refusal !== null) return refusal
      // Users may see less than who searches. Without somebody of its own the search goes on as the user.
      if (this.#options.search!.bindAs !== null) await this.#bindToSearch(client)
    }
    const dns = await this.#groupsOf(client, name, entry.dn)
    return { type: 'user', name, names, dns: withOwn(entry.dn, dns) }
  }

  async #findUsers(client: Client, filter: UserFilter, name: string): Promise<readonly Entry[]> {
    const { base } = this.#options.search!
    await this.#bindToSearch(client)
    // Without a limit of ours: ldapts does not tell when one was exceeded, and where the directory has one of its own, the
    // first of several would pass for the only one.
    const asking = client.search(base, {
      filter: filter.filterFor(name),
      attributes: filter.attributes,
      timeLimit: this.#timeLimitS,
    })
    return (await askedFor(`the search for a user below ${base}`, asking)).searchEntries
  }

  async #bindToSearch(client: Client): Promise<void> {
    const { bindAs } = this.#options.search!
    if (bindAs === null) return this.#bindNameless(client)
    const { dn, password } = bindAs
    await askedFor(`the bind as search.bind_dn ${dn}`, simpleBind(client, dn, password))
  }

  async #bindNameless(client: Client): Promise<void> {
    await askedFor('the bind without a name', client.bind('', ''))
  }

  /** `null`: it was let in. */
  async #bindAs(client: Client, dn: string, password: string): Promise<Refusal | null> {
    try {
      await simpleBind(client, dn, password)
      return null
    } catch (error) {
      if (!(error instanceof ResultCodeError)) throw error
      if (REFUSING_CODES.has(error.code)) return { type: 'refused', reason: describeResult(error) }
      throw new LdapResultError(error, 'the bind of a user')
    }
  }

  /** How the directory writes a DN; as it is, if that cannot be known. */
  async #ownDn(client: Client, dn: string): Promise<string> {
    try {
      const [entry] = await this.#entryAt(client, dn, '(objectClass=*)', 'the entry of a user')
      return entry?.dn ?? dn
    } catch (error) {
      const isLasting =
        error instanceof LdapResultError &&
        (UNSEEN_CODES.has(error.code) || error.code === UNWILLING_TO_PERFORM)
      if (isLasting) return dn
      throw error
    }
  }

  /** The wanted groups of a user, in canonical form. Each is asked for by itself, so that no answer can be too long. */
  async #groupsOf(client: Client, name: string, dn: string | null): Promise<readonly string[]> {
    const filters = this.#patterns.map((filterFor) => filterFor({ s: name, d: dn }))
    const ofGroup = filters.length > 0 ? `(|${filters.join('')})` : null
    const { memberOf } = this.#options
    const found: string[] = []
    // So many at once, as directories end connections on which too much waits (OpenLDAP's conn_max_pending is 100).
    for (let at = 0; at < this.#groups.length; at += AT_ONCE_MAX) {
      const some = this.#groups.slice(at, at + AT_ONCE_MAX).map(async (group) => {
        const isIn =
          (ofGroup !== null && (await this.#isGroup(client, group.dn, ofGroup))) ||
          (memberOf !== null && dn !== null && (await this.#isMember(client, dn, group.dn)))
        if (isIn) found.push(group.canonical)
      })
      await Promise.all(some)
    }
    return found
  }

  async #isGroup(client: Client, group: string, filter: string): Promise<boolean> {
    try {
      const entries = await this.#entryAt(client, group, filter, `the question about ${group}`)
      return entries.length > 0
    } catch (error) {
      if (!(error instanceof LdapResultError && UNSEEN_CODES.has(error.code))) throw error
      this.#tellUnseen(group, error)
      return false
    }
  }

  /** Not of another user, whom many directories do not show. */
  #tellUnseen(group: string, error: LdapResultError): void {
    const { userDn } = this.#options
    const isUser = userDn !== null && nameInDn(group, userDn) !== null
    if (isUser || this.#unseen.has(group)) return
    this.#unseen.add(group)
    this.#logger('warn', `nobody has the rights of ${group} now: the directory ${error.message}`)
  }

  async #isMember(client: Client, dn: string, group: string): Promise<boolean> {
    const filter = `(${this.#options.memberOf}=${escapeFilterValue(group)})`
    const entries = await this.#entryAt(
      client,
      dn,
      filter,
      'the question about the groups of a user',
    )
    return entries.length > 0
  }

  async #entryAt(
    client: Client,
    dn: string,
    filter: string,
    asked: string,
  ): Promise<readonly Entry[]> {
    const asking = client.search(dn, {
      scope: 'base',
      filter,
      attributes: ['1.1'],
      timeLimit: this.#timeLimitS,
    })
    return (await askedFor(asked, asking)).searchEntries
  }
}

type Refusal = Extract<Lookup, { readonly type: 'refused' }>

/** What directories say that let a user search for nothing. */
const UNWILLING_TO_PERFORM = 53

const AT_ONCE_MAX = 32

/**
 * noSuchObject, invalidDNSyntax, inappropriateAuthentication (an entry without a password), invalidCredentials,
 * insufficientAccessRights (an entry that nobody may bind as); and constraintViolation and unwillingToPerform, which 389
 * Directory Server and FreeIPA answer for a locked account.
 */
const REFUSING_CODES: ReadonlySet<number> = new Set([32, 34, 48, 49, 50, 19, 53])

/** ldapts would take some names for SASL mechanisms. None of them is a DN. */
async function simpleBind(client: Client, dn: string, password: string): Promise<void> {
  if (SASL_MECHANISMS.some((mechanism) => mechanism === dn)) throw new InvalidCredentialsError()
  await client.bind(dn, password)
}

function withOwn(own: string | null, groups: readonly string[]): readonly string[] {
  return [...new Set([canonicalDn(own ?? '') ?? '', ...groups])]
}
