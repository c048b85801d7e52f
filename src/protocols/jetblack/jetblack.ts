import { isSameName } from '../../auth/name.ts'
import { OptionError } from '../../auth/option-error.ts'
import { shown } from '../../settings/place.ts'
import type { AskedAbout, CheckedSurroundings, Explanation, Findings, Protocol } from '../door.ts'
import { ADMIN } from './admin.ts'
import type { JetblackDoor } from './door.ts'
import { FeedRules, matchesPattern } from './feed-rules.ts'
import { checkLogins, DIRECTORY_CONNECTIONS } from './logins.ts'
import type { JetblackSettings } from './settings.ts'

/** What the server knows of jetblack before it is opened. */
export const JETBLACK: Protocol<JetblackSettings, JetblackDoor> = {
  name: 'jetblack',
  openFilesMax: ({ ports, authentication }) =>
    ports.size + (authentication === 'ldap' ? DIRECTORY_CONNECTIONS : 0),

  check(settings, surroundings): Findings {
    try {
      checkLogins(settings)
    } catch (error) {
      if (!(error instanceof OptionError)) throw error
      return { errors: [error.message], warnings: [] }
    }
    const whyNot = unknownUsers(settings, surroundings)
    return {
      errors: [],
      warnings: [
        ...withoutEffect(settings),
        ...unreachable(settings),
        ...strangers(settings, whyNot),
      ],
    }
  },

  explain: (settings, name, _surroundings, asked) => [
    { path: ['authentication'], text: EXPLANATIONS[settings.authentication] },
    ...aboutFeed(settings, settings.authentication === 'none' ? null : name, asked),
  ],

  async open(settings, environment) {
    // Whoever only reads the settings does not need it.
    const { JetblackDoor } = await import('./door.ts')
    return JetblackDoor.open(settings, environment)
  },

  prepare: (settings, door) => door.prepare(settings),
}

const EXPLANATIONS = {
  none: 'everybody is nobody there, and sees what is public',
  acl: 'whoever logs in is that user there, with the same rights, and nobody is anonymous',
  passwords: 'whoever is in the file of passwords is that user there, and sees what is public',
  ldap: 'whoever the directory lets bind is that user there, and sees what is public',
  jwt: 'whoever shows a signed token is the user that it names, and sees what is public',
} as const

/** What a feed's rules say of whoever is that user there; `null`: nobody. */
function aboutFeed(
  { feeds }: JetblackSettings,
  name: string | null,
  { verb, path }: AskedAbout,
): readonly Explanation[] {
  const feed = path.split('/')[1] ?? ''
  const rules = new FeedRules(feeds)
  const role = verb === 'publish' ? 'publish' : 'subscribe'
  const isAllowed = rules.allows(role, feed, name ?? NOBODY)
  const found = feed === ADMIN ? undefined : rules.ruleOf(feed)
  const doing = role === 'publish' ? 'publish on' : 'subscribe to'
  const text = `${shown(name ?? NOBODY)} may ${isAllowed ? '' : 'not '}${doing} the feed ${shown(feed)}`
  if (found === undefined) return [{ path: feeds.length === 0 ? [] : ['feeds'], text }]
  const [pattern, { authorize }] = found
  const said = { path: ['feeds', pattern], text: `${text}, by the pattern ${shown(pattern)}` }
  if (role === 'publish' || !rules.hasAuthorisers(feed)) return [said]
  const whose = authorize === 'any' ? 'any other' : authorize.map(shown).join(' or ')
  const needed = `a subscription to it needs the answer of ${whose}, and what is published there is private elsewhere`
  return [said, { path: ['feeds', pattern, 'authorize'], text: needed }]
}

type Warning = Findings['warnings'][number]

/** Ways to log in that are not the one that is taken. */
function withoutEffect(settings: JetblackSettings): readonly Warning[] {
  const { authentication } = settings
  return (['passwords', 'ldap', 'jwt'] as const)
    .filter((each) => settings[each] !== null && each !== authentication)
    .map((each) => ({
      path: [each],
      text: `has no effect, as authentication is ${authentication}`,
    }))
}

/** Patterns behind one that matches all that they match, as far as that is easily seen. */
function unreachable({ feeds }: JetblackSettings): readonly Warning[] {
  return feeds.flatMap(([pattern], n) => {
    const first = feeds.slice(0, n).find(([earlier]) => matchesPattern(earlier, pattern))
    if (first === undefined) return []
    const text = `has no effect, as ${shown(first[0])} before it matches the same feeds`
    return [{ path: ['feeds', pattern], text }]
  })
}

/** Names in rules that nobody has. */
function strangers(
  { feeds }: JetblackSettings,
  whyNot: (name: string) => string | null,
): readonly Warning[] {
  return feeds.flatMap(([pattern, rule]) =>
    (['subscribe', 'publish', 'notify', 'authorize'] as const).flatMap((role) => {
      const allowed = rule[role]
      if (allowed === 'any') return []
      return allowed.flatMap((name) => {
        const reason = whyNot(name)
        const text = `names ${shown(name)}, and nobody is that one: ${reason}`
        return reason === null ? [] : [{ path: ['feeds', pattern, role], text }]
      })
    }),
  )
}

/** Why nobody has a name at this door; `null`: somebody has, or may. */
function unknownUsers(
  { authentication, passwords }: JetblackSettings,
  { users, aclFile, hasDirectory }: CheckedSurroundings,
): (name: string) => string | null {
  switch (authentication) {
    case 'none':
      return (name) => (name === NOBODY ? null : 'without authentication everybody is nobody')
    case 'passwords': {
      const known = Object.keys(JSON.parse(passwords!.text) as object)
      return (name) => (known.includes(name) ? null : `it is not in ${passwords!.file}`)
    }
    case 'acl': {
      const isKnown = (name: string) =>
        hasDirectory || users === null || users.some((user) => isSameName(user, name))
      return (name) => (isKnown(name) ? null : `it is not in ${aclFile}`)
    }
    default: // others know their users
      return () => null
  }
}

/** Whoever has not logged in. */
const NOBODY = 'nobody'
