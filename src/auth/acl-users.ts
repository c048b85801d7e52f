import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { ANONYMOUS, type Authenticator, type Identity, type LoginResult } from './identity.ts'
import { LiveLogin } from './live-login.ts'
import { rightsOf } from './rights-of.ts'

/** An entry of the ACL file. */
export interface AclUser {
  readonly name: string
  /** `null` or empty: never logs in. */
  readonly password: string | null
  /** Segment name to topics. */
  readonly segments: ReadonlyMap<string, readonly string[]>
  /** Secured topics this user may publish to. */
  readonly secureTopics: readonly string[]
}

/** The users of the ACL file. */
export class AclUsers implements Authenticator {
  #accounts: ReadonlyMap<string, Account> = new Map()

  constructor(users: readonly AclUser[]) {
    this.replace(users)
  }

  /** A name found here is nobody else's, whether or not it can log in. */
  has(name: string): boolean {
    return this.#accounts.has(name)
  }

  /** What a name is allowed, for doors that have other proof of who it is. `ANONYMOUS`: there is none. */
  identityOf(name: string): Identity {
    return this.#accounts.get(name)?.login.identity ?? ANONYMOUS
  }

  async login(name: string, password: string): Promise<LoginResult> {
    const account = this.#accounts.get(name)
    // Compared for unknown names too: the time must not tell which names exist.
    const isEqual = timingSafeEqual(digestOf(password), account?.passwordDigest ?? NO_PASSWORD)
    if (account === undefined || !isEqual) return { type: 'refused' }
    return { type: 'accepted', login: account.login }
  }

  /**
   * A reload. Before this returns, open logins have the rights that their names have now, and those whose password changed
   * or who are gone are anonymous. Of a name given twice the last counts.
   */
  replace(users: readonly AclUser[]): void {
    const before = this.#accounts
    const changes: Array<() => void> = []
    const accounts = new Map(users.map((user) => [user.name, accountOf(user)]))
    for (const [name, old] of before) {
      const account = accounts.get(name)
      const { identity } = account?.login ?? { identity: ANONYMOUS }
      const isKept = account?.passwordDigest.equals(old.passwordDigest) === true
      if (isKept) accounts.set(name, old)
      changes.push(() => old.login.change(isKept ? identity : ANONYMOUS))
    }
    this.#accounts = accounts
    for (const change of changes) change()
  }
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
