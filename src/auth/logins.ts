import type { AclUser, AclUsers } from './acl-users.ts'
import type { Authenticator, LoginResult } from './identity.ts'
import type { LdapDirectory } from './ldap-directory.ts'

/** Everybody who can log in: the users of the ACL file, then those of the LDAP directory, if there is one. */
export class Logins implements Authenticator {
  readonly #aclUsers: AclUsers
  readonly #directory: LdapDirectory | null

  constructor(aclUsers: AclUsers, directory: LdapDirectory | null) {
    this.#aclUsers = aclUsers
    this.#directory = directory
  }

  async login(name: string, password: string): Promise<LoginResult> {
    if (this.#directory !== null && !this.#aclUsers.has(name)) {
      const result = await this.#directory.login(name, password)
      // A reload may have brought the name into the file meanwhile.
      if (!this.#aclUsers.has(name)) return result
    }
    return this.#aclUsers.login(name, password)
  }

  /** A reload of the ACL file. A name that is new in it is no longer the directory's. */
  replace(users: readonly AclUser[]): void {
    this.#aclUsers.replace(users)
    this.#directory?.endLogins((name) => this.#aclUsers.has(name))
  }
}
