import { errors, jwtVerify } from 'jose'
import {
  ANONYMOUS,
  type Authenticator,
  type Credentials,
  type LoginResult,
} from '../../auth/identity.ts'
import { LiveLogin } from '../../auth/live-login.ts'

/** Users by the tokens that somebody has signed for them: JWT by a shared secret, as the reference takes them (dossier 3.2). */
export class Tokens implements Authenticator {
  #secret: Uint8Array

  constructor(secret: Uint8Array) {
    this.#secret = secret
  }

  /** `password` is the token. */
  async authenticate({ password }: Credentials): Promise<LoginResult> {
    try {
      const { payload } = await jwtVerify(password, this.#secret, {
        algorithms: ['HS256', 'HS384', 'HS512'],
        clockTolerance: TOLERANCE_S,
        requiredClaims: ['exp', 'sub'],
      })
      const { sub: name } = payload
      if (typeof name === 'string' && name !== '')
        return { type: 'accepted', login: new LiveLogin({ ...ANONYMOUS, name }) }
      return { type: 'refused', reason: 'a token whose sub is no name' }
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error
      return { type: 'refused', reason: `a token that is not accepted (${error.code})` }
    }
  }

  /** From now on tokens are signed by another secret. Who has logged in stays. */
  replace(secret: Uint8Array): void {
    this.#secret = secret
  }
}

/** By which a clock may be wrong, as the reference has it. */
const TOLERANCE_S = 300
