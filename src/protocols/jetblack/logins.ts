import type { Authenticator } from '../../auth/identity.ts'
import type { LoginGate } from '../../auth/login-gate.ts'
import { OptionError } from '../../auth/option-error.ts'
import type { DoorEnvironment } from '../door.ts'
import { Passwords } from './passwords.ts'
import type { JetblackSettings } from './settings.ts'

/** Who is asked at this door who somebody is. */
export interface Logins extends AsyncDisposable {
  readonly asksFor: 'password' | 'token'
  /** Slows those who guess, as at all other doors and together with them. */
  readonly gate: Pick<LoginGate, 'login'>
  /** What files say now: what this returns makes it count. @throws {OptionError} they cannot be used. */
  prepare(settings: JetblackSettings): () => void
}

type Needed = Pick<DoorEnvironment, 'logins' | 'logInBy' | 'limits' | 'logger'>

/** `null`: nobody logs in. @throws {OptionError} naming the file, or the setting. */
export async function openLogins(
  settings: JetblackSettings,
  environment: Needed,
): Promise<Logins | null> {
  checkGiven(settings)
  const { logInBy } = environment
  switch (settings.authentication) {
    case 'none':
      return null
    case 'acl':
      return { ...UNCHANGING, gate: environment.logins }
    case 'passwords': {
      const passwords = readPasswords(settings, (text) => new Passwords(text))
      const prepare = (next: JetblackSettings) =>
        next.passwords === null ? NOTHING : readPasswords(next, (text) => passwords.prepare(text))
      return { ...UNCHANGING, gate: logInBy(passwords), prepare }
    }
    case 'ldap': {
      const directory = await openDirectory(settings, environment)
      const close = () => directory[Symbol.asyncDispose]()
      return { ...UNCHANGING, gate: logInBy(directory), [Symbol.asyncDispose]: close }
    }
    default: {
      const { Tokens } = await import('./tokens.ts')
      const tokens = new Tokens(secretOf(settings)!)
      const prepare = (next: JetblackSettings) => {
        const secret = secretOf(next)
        return secret === null ? NOTHING : () => tokens.replace(secret)
      }
      return { ...UNCHANGING, asksFor: 'token', gate: logInBy(tokens), prepare }
    }
  }
}

/** @throws {OptionError} what these settings need is missing, or cannot be used. */
export function checkLogins(settings: JetblackSettings): void {
  checkGiven(settings)
  if (settings.authentication === 'passwords')
    readPasswords(settings, (text) => new Passwords(text))
}

/** @throws {OptionError} what these settings need is missing. */
function checkGiven(settings: JetblackSettings): void {
  const { authentication } = settings
  if (authentication === 'none' || authentication === 'acl') return
  if (settings[authentication] === null)
    throw new OptionError(
      `protocols.jetblack.authentication is ${authentication}, so protocols.jetblack.${authentication} must ${NEEDED[authentication]}`,
    )
}

const NEEDED = {
  passwords: 'name their file',
  ldap: 'name the directory: {uri: ldaps://HOST, user_dn: PATTERN}',
  jwt: 'name the file with the secret: {secret: FILE}',
} as const

const NOTHING = (): void => {}

const UNCHANGING = {
  asksFor: 'password',
  prepare: () => NOTHING,
  [Symbol.asyncDispose]: () => Promise.resolve(),
} as const

/** @throws {OptionError} with the name of the file. */
function readPasswords<T>({ passwords }: JetblackSettings, read: (text: string) => T): T {
  const { file, text } = passwords!
  try {
    return read(text)
  } catch (error) {
    throw new OptionError(`${file}: ${(error as Error).message}`, { cause: error })
  }
}

function secretOf({ jwt }: JetblackSettings): Uint8Array | null {
  return jwt === null ? null : Buffer.from(jwt.secret, 'base64')
}

/** With the library, which nobody else needs. Nobody has rights by it. */
async function openDirectory(
  { ldap }: JetblackSettings,
  { limits, logger }: Needed,
): Promise<Authenticator & AsyncDisposable> {
  const { LdapDirectory } = await import('../../auth/ldap-directory.ts')
  return new LdapDirectory(
    {
      ...ldap!,
      search: null,
      baseScope: '',
      membershipPatterns: [],
      memberOf: null,
      acl: new Map(),
      cacheMs: CACHE_MS,
      recheckMs: RECHECK_MS,
      graceMs: GRACE_MS,
      connectionsMax: DIRECTORY_CONNECTIONS,
      waitingMax: limits.waitingLoginsMax,
    },
    logger,
  )
}

/** As the defaults of clients.ldap. */
const CACHE_MS = 30_000
const RECHECK_MS = 300_000
const GRACE_MS = 3_600_000
export const DIRECTORY_CONNECTIONS = 4
