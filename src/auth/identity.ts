import type { Rights } from '../hub/rights.ts'
import { PUBLIC_ONLY } from '../hub/rights.ts'

/** Who the peer proved to be, and what that allows. */
export interface Identity {
  /** `null`: anonymous. A user named `''` is possible. */
  readonly name: string | null
  readonly rights: Rights
  /** Secured topics this identity may publish to. */
  readonly secureTopics: ReadonlySet<string>
}

export const ANONYMOUS: Identity = { name: null, rights: PUBLIC_ONLY, secureTopics: new Set() }

/** A login that was accepted. It may outlive its request: an open stream keeps it and is told when the rights change. */
export interface Login {
  /** What the name is allowed now. `ANONYMOUS` once the login no longer holds. */
  readonly identity: Identity
  /** Called after each change of `identity`. Only while somebody listens is the login asked again (LDAP). */
  onChange(listener: (identity: Identity) => void): Disposable
}

export type LoginResult =
  | { readonly type: 'accepted'; readonly login: Login }
  /** Unknown name, wrong or empty password. `reason`: which of them, for the log alone. */
  | { readonly type: 'refused'; readonly reason?: string }
  /** The directory could not be asked, or does not say. `reason`: what it does, as `answers busy (51)`; peers may be told. */
  | { readonly type: 'unavailable'; readonly reason?: string }
  /** Not judged: too many others of this address came before. Worth another try. */
  | { readonly type: 'postponed' }

/** What a peer shows to prove who it is. */
export interface Credentials {
  readonly type: 'password'
  readonly name: string
  readonly password: string
}

/** The port to whoever knows the passwords. Implementations share `test/contracts/authenticator.ts`. */
export interface Authenticator {
  /**
   * Never rejects, answers within 10 s, and compares secrets in constant time. `address`: where they come from, `null` if that is
   * unknown. Where they have to wait, addresses take turns (IPv6: a /64).
   */
  authenticate(credentials: Credentials, address: string | null): Promise<LoginResult>
}
