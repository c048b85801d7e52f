import type { AclUser, AclUsers } from './acl-users.ts'
import type { Authenticator, Credentials, Login, LoginResult } from './identity.ts'

/** Users of somebody else's, whose spellings of a name only they know. The `name` of an identity is theirs. */
export interface Directory extends Authenticator {
  authenticate(credentials: Credentials, address: string | null): Promise<DirectoryResult>
  /** Ends the logins of these names at once: they are no longer the directory's. */
  endLogins(isEnded: (name: string) => boolean): void
}

export type DirectoryResult =
  | Exclude<LoginResult, { readonly type: 'accepted' }>
  /** `names`: all by which the directory knows the user, that of the identity among them. */
  | { readonly type: 'accepted'; readonly login: Login; readonly names: readonly string[] }

/** Everybody who can log in: the users of the ACL file, then those of the LDAP directory, if there is one. */
export class Logins implements Authenticator {
  readonly #aclUsers: AclUsers
  readonly #directory: Directory | null

  constructor(aclUsers: AclUsers, directory: Directory | null) {
    this.#aclUsers = aclUsers
    this.#directory = directory
  }

  async authenticate(credentials: Credentials, address: string | null): Promise<LoginResult> {
    const { name } = credentials
    if (this.#directory === null || this.#aclUsers.has(name))
      return this.#aclUsers.authenticate(credentials)
    const result = await this.#directory.authenticate(credentials, address)
    // A reload may have brought the name into the file meanwhile, and only the directory knows which spellings it takes for
    // one name.
    const names = result.type === 'accepted' ? [name, ...result.names] : [name]
    const own = names.find((each) => this.#aclUsers.has(each))
    return own === undefined ? result : this.#aclUsers.authenticate({ ...credentials, name: own })
  }

  /** A reload of the ACL file. A name that is new in it is no longer the directory's. */
  replace(users: readonly AclUser[]): void {
    this.#aclUsers.replace(users)
    this.#directory?.endLogins((name) => this.#aclUsers.has(name))
  }
}
