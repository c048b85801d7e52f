import type { Explanation, Findings, Protocol } from '../door.ts'
import { OptionError } from '../../auth/option-error.ts'
import { aclJudge, passwordJudge } from './logins.ts'
import { Passwords } from './passwords.ts'
import type { JetblackSettings } from './settings.ts'

/** What the server knows of jetblack before it is opened. */
export const JETBLACK: Protocol<JetblackSettings> = {
  name: 'jetblack',
  openFilesMax: ({ ports }) => ports.size,

  check(settings): Findings {
    try {
      passwordsOf(settings)
      return { errors: [], warnings: [] }
    } catch (error) {
      if (!(error instanceof OptionError)) throw error
      return { errors: [error.message], warnings: [] }
    }
  },

  explain({ authentication }): Explanation {
    const text = EXPLANATIONS[authentication]
    return { path: ['authentication'], text: `${text}; feeds say who may do what` }
  },

  async open(settings, { hub, policy, limits, limiter, logins, logger }) {
    const passwords = passwordsOf(settings)
    const ofPasswords = passwords === null ? null : passwordJudge(passwords, limiter)
    const judge = settings.authentication === 'acl' ? aclJudge(logins) : ofPasswords
    // Whoever only reads the settings needs neither.
    const { JetblackDoor } = await import('./door.ts')
    const door = await JetblackDoor.open({
      settings,
      hub,
      policy,
      limits,
      judge,
      logger,
    })
    return {
      name: 'jetblack',
      mounted: null,
      urls: door.urls,
      [Symbol.asyncDispose]: () => door[Symbol.asyncDispose](),
    }
  },
}

const EXPLANATIONS = {
  none: 'everybody is nobody there, and sees what is public',
  acl: 'whoever logs in is that user there, with the same rights, and nobody is anonymous',
  passwords: 'whoever is in the file of passwords is that user there, and sees what is public',
} as const

/** `null`: nobody logs in. @throws {OptionError} naming the file, or the setting. */
function passwordsOf({ authentication, passwords }: JetblackSettings): Passwords | null {
  if (authentication !== 'passwords') return null
  if (passwords === null)
    throw new OptionError(
      'protocols.jetblack.authentication is passwords, so protocols.jetblack.passwords must name their file',
    )
  try {
    return new Passwords(passwords.text)
  } catch (error) {
    throw new OptionError(`${passwords.file}: ${(error as Error).message}`, { cause: error })
  }
}
