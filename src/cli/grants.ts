import { isSameName } from '../auth/name.ts'
import { GaveUpError } from '../client/client-error.ts'
import type { AclUser } from '../config/acl-file.ts'
import type { placesIn } from '../config/find-place.ts'
import { shown } from '../settings/place.ts'
import type { Settings } from '../config/schema.ts'

/** What an entry of a configuration file gives to a name. */
export interface Grant {
  /** Whose entry. */
  readonly name: string
  readonly segments: ReadonlyMap<string, readonly string[]>
  readonly secureTopics: readonly string[]
  readonly whereSegment: (segment: string) => string
  readonly whereTopic: (topic: string) => string
}

export interface Subject {
  readonly grants: readonly Grant[]
  /** The server would answer 401. */
  readonly isRefused: boolean
  /** What must be known about the name itself. */
  readonly notes: readonly string[]
}

type Clients = Settings['clients']
type Where = ReturnType<typeof placesIn>

/**
 * The rules that are about a name, `null` for anonymous.
 * @throws {GaveUpError} the directory cannot be asked.
 */
export async function grantsFor(
  name: string | null,
  {
    users,
    ldap,
    badCredentials,
  }: { readonly users: readonly AclUser[] } & Pick<Clients, 'ldap' | 'badCredentials'>,
  where: { readonly settings: Where; readonly acl: Where },
): Promise<Subject> {
  if (name === null) return { grants: [], isRefused: false, notes: [] }
  const unknown = (why: string): Subject => ({
    grants: [],
    isRefused: badCredentials === 'reject',
    notes: [
      `${why}, so its login ${badCredentials === 'reject' ? 'is refused' : 'counts as anonymous'} ` +
        `(clients.bad_credentials, ${where.settings(['clients', 'bad_credentials'])})`,
    ],
  })
  const inFile = (typed: string): Subject | null => {
    const user = users.find((each) => isSameName(each.name, typed))
    return user === undefined ? null : (grantsOfUser(user, where.acl) ?? unknown(noPassword(user)))
  }
  const own = inFile(name)
  if (own !== null) return own
  if (ldap === null) return unknown(`${shown(name)} is no user of the ACL file`)
  const found = await directoryGrants(name, ldap, where.settings)
  if ('refusal' in found) return unknown(`the directory refuses ${shown(name)} (${found.refusal})`)
  return found.names.map(inFile).find((each) => each !== null) ?? found
}

/** `null`: it never logs in. */
function grantsOfUser(user: AclUser, where: Where): Subject | null {
  const { name, password, secureTopics } = user
  if (password === null) return null
  const grant: Grant = {
    ...user,
    name: shown(name),
    whereSegment: (segment) => where([name, 'acl', segment]),
    whereTopic: (topic) => where([name, 'topics', secureTopics.indexOf(topic)]),
  }
  return { grants: [grant], isRefused: false, notes: [] }
}

function noPassword({ name, where }: AclUser): string {
  return `${shown(name)} has no password (${where})`
}

async function directoryGrants(
  name: string,
  ldap: NonNullable<Clients['ldap']>,
  where: Where,
): Promise<(Subject & { readonly names: readonly string[] }) | { readonly refusal: string }> {
  const password = process.env['PUBSUBD_PASSWORD'] || null
  const told: string[] = []
  const { LdapDirectory } = await import('../auth/ldap-directory.ts')
  const { LdapAnswerError } = await import('../auth/ldap-result.ts')
  await using directory = new LdapDirectory({ ...ldap, waitingMax: 1 }, (_level, message) => {
    told.push(message)
  })
  let found: Awaited<ReturnType<typeof directory.grantsOf>>
  try {
    found = await directory.grantsOf(name, password)
  } catch (error) {
    const what = error instanceof LdapAnswerError ? '' : 'cannot be asked: '
    throw new GaveUpError(`the directory ${what}${(error as Error).message}`, { cause: error })
  }
  if ('refusal' in found) return found
  const { names, dns } = found
  const grants = dns.map((dn): Grant => {
    const path = ['clients', 'ldap', 'acl', dn]
    const { segments, secureTopics } = ldap.acl.get(dn)!
    return {
      name: dn,
      segments,
      secureTopics,
      whereSegment: (segment) => where([...path, segment]),
      whereTopic: (topic) => where([...path, 'topics', secureTopics.indexOf(topic)]),
    }
  })
  const held = dns.length === 0 ? 'nothing of clients.ldap.acl' : dns.join(' and ')
  return {
    names,
    grants,
    isRefused: false,
    notes: [
      `${shown(name)} is no user of the ACL file; the directory, asked ${askedAs(ldap, password)}, finds ${held}`,
      ...told,
    ],
  }
}

function askedAs({ search }: NonNullable<Clients['ldap']>, password: string | null): string {
  if (search !== null) {
    const who = search.bindAs === null ? 'without a name' : `as ${search.bindAs.dn}`
    return password === null ? `${who}, without proof of the password (PUBSUBD_PASSWORD)` : who
  }
  return password === null
    ? 'without a password (PUBSUBD_PASSWORD), which may have shown less, and says nothing about whether the name exists'
    : 'as that user'
}
