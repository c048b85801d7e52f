import { createHash, timingSafeEqual } from 'node:crypto'
import { OptionError } from '../../auth/option-error.ts'

interface Known {
  readonly salt: Buffer
  readonly hash: Buffer
}

/** Users and their passwords, as the reference's file has them (dossier 3.2): `{USER: {Salt, Hash}}`, the hash SHA-1 of password and salt. */
export class Passwords {
  readonly #known: ReadonlyMap<string, Known>

  /** @throws {OptionError} what is wrong with the text of the file. */
  constructor(text: string) {
    let users: unknown
    try {
      users = JSON.parse(text)
    } catch (error) {
      throw new OptionError('it is no JSON', { cause: error })
    }
    if (typeof users !== 'object' || users === null || Array.isArray(users))
      throw new OptionError('it must be an object, with a user for each key')
    this.#known = new Map(
      Object.entries(users).map(([name, entry]) => [name, knownOf(name, entry)]),
    )
  }

  /** In the same time for all who are not known, and all whose password is wrong. */
  accepts(name: string, password: string): boolean {
    const { salt, hash } = this.#known.get(name) ?? NOBODY
    const given = createHash('sha1').update(password, 'utf8').update(salt).digest()
    return timingSafeEqual(given, hash) && this.#known.has(name)
  }
}

function knownOf(name: string, entry: unknown): Known {
  const values = new Map(
    Object.entries(entry ?? {}).map(([key, value]) => [key.toLowerCase(), value]),
  )
  const bytesOf = (key: string) => {
    const value: unknown = values.get(key)
    return typeof value === 'string' ? Buffer.from(value, 'base64') : Buffer.alloc(0)
  }
  const known = { salt: bytesOf('salt'), hash: bytesOf('hash') }
  if (known.hash.length !== SHA1_BYTES)
    throw new OptionError(
      `the user ${JSON.stringify(name)} has no Hash of ${SHA1_BYTES} bytes in base64`,
    )
  return known
}

const SHA1_BYTES = 20
const NOBODY: Known = { salt: Buffer.alloc(32), hash: Buffer.alloc(SHA1_BYTES) }
