import type { AttemptLimiter } from '../../auth/attempt-limiter.ts'
import type { Login } from '../../auth/identity.ts'
import type { LoginAttempt, LoginGate } from '../../auth/login-gate.ts'
import type { Passwords } from './passwords.ts'

/** Who a connection has proved to be. `login`: what that one may, now and later; `null`: what everybody may. */
export interface Proof {
  readonly user: string
  readonly login: Login | null
}

/** `null`: refused, or not judged. */
export type Judge = (attempt: LoginAttempt) => Promise<Proof | null>

/** By the reference's file; guessing is slowed as it is at all other doors, and together with them. */
export function passwordJudge(passwords: Passwords, limiter: AttemptLimiter): Judge {
  return async ({ address, name, password }) => {
    const claimant = { address, name }
    const admission = await limiter.admit(claimant)
    if (admission.type === 'postponed') return null
    if (!passwords.accepts(name, password)) {
      limiter.failed(claimant)
      return null
    }
    limiter.succeeded(claimant)
    return { user: name, login: null }
  }
}

/** By the ACL file and the directory, as over HTTP. */
export function aclJudge(logins: Pick<LoginGate, 'login'>): Judge {
  return async (attempt) => {
    const result = await logins.login(attempt)
    if (result.type !== 'accepted') return null
    return { user: result.login.identity.name ?? attempt.name, login: result.login }
  }
}
