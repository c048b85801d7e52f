import { createHash, timingSafeEqual } from 'node:crypto'
import {
  ANONYMOUS,
  type Authenticator,
  type Credentials,
  type LoginResult,
} from '../../auth/identity.ts'
import { LiveLogin } from '../../auth/live-login.ts'
import { OptionError } from '../../auth/option-error.ts'

interface Known {
  readonly salt: Buffer
  readonly hash: Buffer
  readonly login: LiveLogin
}

/**
 * Users and their passwords, as the reference's file has them (dossier 3.2): `{USER: {Salt, Hash}}`, the hash SHA-1 of password and salt.
 * They have a name, and no rights of the ACL file.
 */
export class Passwords implements Authenticator {
  #known: ReadonlyMap<string, Known>

  /** @throws {OptionError} what is wrong with the text of the file. */
  constructor(text: string) {
    this.#known = usersIn(text)
  }

  /** In the same time for all who are not known, and all whose password is wrong. */
  async authenticate({ name, password }: Credentials): Promise<LoginResult> {
    const { salt, hash, login } = this.#known.get(name) ?? NOBODY
    const given = createHash('sha1').update(password, 'utf8').update(salt).digest()
    const isRight = timingSafeEqual(given, hash)
    return isRight && login !== NOBODY.login ? { type: 'accepted', login } : { type: 'refused' }
  }

  /**
   * Another text of the file. What this returns makes it count: then logins of those who are gone, or whose password is another one, end.
   * @throws {OptionError} what is wrong with it.
   */
  prepare(text: string): () => void {
    const users = usersIn(text)
    return () => {
      const before = this.#known
      this.#known = new Map(
        Array.from(users, ([name, user]) => {
          const old = before.get(name)
          const isSame = old?.hash.equals(user.hash) === true && old.salt.equals(user.salt)
          return [name, isSame ? old : user]
        }),
      )
      for (const [name, { login }] of before)
        if (this.#known.get(name)?.login !== login) login.change(ANONYMOUS)
    }
  }
}

/** @throws {OptionError} */
function usersIn(text: string): ReadonlyMap<string, Known> {
  let users: unknown
  try {
    users = JSON.parse(text)
  } catch (error) {
    throw new OptionError('it is no JSON', { cause: error })
  }
  if (typeof users !== 'object' || users === null || Array.isArray(users))
    throw new OptionError('it must be an object, with a user for each key')
  return new Map(Object.entries(users).map(([name, entry]) => [name, knownOf(name, entry)]))
}

function knownOf(name: string, entry: unknown): Known {
  const values = new Map(
    Object.entries(entry ?? {}).map(([key, value]) => [key.toLowerCase(), value]),
  )
  const bytesOf = (key: string) => {
    const value: unknown = values.get(key)
    return typeof value === 'string' ? Buffer.from(value, 'base64') : Buffer.alloc(0)
  }
  const hash = bytesOf('hash')
  if (hash.length !== SHA1_BYTES)
    throw new OptionError(
      `the user ${JSON.stringify(name)} has no Hash of ${SHA1_BYTES} bytes in base64`,
    )
  return { salt: bytesOf('salt'), hash, login: new LiveLogin({ ...ANONYMOUS, name }) }
}

const SHA1_BYTES = 20
const NOBODY: Known = {
  salt: Buffer.alloc(32),
  hash: Buffer.alloc(SHA1_BYTES),
  login: new LiveLogin(ANONYMOUS),
}
