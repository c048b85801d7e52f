import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import {
  ANONYMOUS,
  type Authenticator,
  type Credentials,
  type Identity,
  type LoginResult,
} from './identity.ts'
import { LiveLogin } from './live-login.ts'
import { nameKey, sameNamesIn } from './name.ts'
import { OptionError } from './option-error.ts'
import { rightsOf } from './rights-of.ts'

/** An entry of the ACL file. */
export interface AclUser {
  readonly name: string
  /** Its place in the file, for messages. */
  readonly where?: string
  /** `null` or empty: never logs in. */
  readonly password: string | null
  /** Segment name to topics. */
  readonly segments: ReadonlyMap<string, readonly string[]>
  /** Secured topics this user may publish to. */
  readonly secureTopics: readonly string[]
}

/**
 * The users of the ACL file. Other spellings of a name (`name.ts`) are nobody else's, but log in as nobody: PyPubSub, too, knows
 * only the one that stands in the file.
 */
export class AclUsers implements Authenticator {
  /** The accounts, by `nameKey`. */
  #accounts: ReadonlyMap<string, Account> = new Map()

  /** @throws {OptionError} two users have the same name. */
  constructor(users: readonly AclUser[]) {
    this.replace(users)
  }

  /** A name found here is nobody else's, whether or not it can log in. */
  has(name: string): boolean {
    return this.#accounts.has(nameKey(name))
  }

  /** What a name is allowed, for doors that have other proof of who it is. `ANONYMOUS`: there is none. */
  identityOf(name: string): Identity {
    return this.#accounts.get(nameKey(name))?.login.identity ?? ANONYMOUS
  }

  async authenticate({ name, password }: Credentials): Promise<LoginResult> {
    const known = this.#accounts.get(nameKey(name))
    const account = known?.login.identity.name === name ? known : undefined
    // Compared for unknown names too: the time must not tell which names exist.
    const isEqual = timingSafeEqual(digestOf(password), account?.passwordDigest ?? NO_PASSWORD)
    if (account === undefined || !isEqual) return { type: 'refused' }
    return { type: 'accepted', login: account.login }
  }

  /**
   * A reload. Before this returns, open logins have the rights that their names have now, and those whose password changed
   * or who are gone are anonymous.
   * @throws {OptionError} two users have the same name; all stays as it was.
   */
  replace(users: readonly AclUser[]): void {
    checkNames(users)
    const before = this.#accounts
    const changes: Array<() => void> = []
    const accounts = new Map(users.map((user) => [nameKey(user.name), accountOf(user)]))
    for (const [key, old] of before) {
      const account = accounts.get(key)
      const { identity } = account?.login ?? { identity: ANONYMOUS }
      const isKept =
        account?.passwordDigest.equals(old.passwordDigest) === true &&
        identity.name === old.login.identity.name
      if (isKept) accounts.set(key, old)
      changes.push(() => old.login.change(isKept ? identity : ANONYMOUS))
    }
    this.#accounts = accounts
    for (const change of changes) change()
  }
}

/** Whose rights and password would count is not for the order of the entries to say. */
function checkNames(users: readonly AclUser[]): void {
  const same = sameNamesIn(users.map(({ name }) => name))
  if (same === null) return
  const [one, other] = same.map((name) => {
    const { where } = users.find((user) => user.name === name)!
    return where === undefined ? JSON.stringify(name) : `${JSON.stringify(name)} (${where})`
  })
  throw new OptionError(
    `the users ${one} and ${other} have the same name, as case, spaces and forms of characters make no difference. ` +
      'Take one of them out, or give it another name',
  )
}

interface Account {
  readonly passwordDigest: Buffer
  /** One for all who are logged in under this name with this password. */
  readonly login: LiveLogin
}

function accountOf({ name, password, segments, secureTopics }: AclUser): Account {
  const identity: Identity = {
    name,
    rights: rightsOf(segments.values()),
    secureTopics: new Set(secureTopics),
  }
  const passwordDigest = password === null || password === '' ? NO_PASSWORD : digestOf(password)
  return { passwordDigest, login: new LiveLogin(identity) }
}

/** Digests have equal lengths, so that the comparison tells nothing about the password's. */
function digestOf(password: string): Buffer {
  return hash('sha256', password, 'buffer')
}

/** Equals no digest. */
const NO_PASSWORD = randomBytes(32)
