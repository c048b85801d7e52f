import { LdapDirectory } from '../auth/ldap-directory.ts'
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
 * The rules that are about a name, `null` for nobody in particular.
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
      `${why}, so its login ${badCredentials === 'reject' ? 'is refused' : 'counts as nobody in particular'} ` +
        `(clients.bad_credentials, ${where.settings(['clients', 'bad_credentials'])})`,
    ],
  })
  const user = users.findLast((each) => each.name === name)
  if (user !== undefined) {
    if (user.password === null)
      return unknown(`${shown(name)} has no password (${where.acl([name])})`)
    const grant: Grant = {
      ...user,
      name: shown(name),
      whereSegment: (segment) => where.acl([name, 'acl', segment]),
      whereTopic: (topic) => where.acl([name, 'topics', user.secureTopics.indexOf(topic)]),
    }
    return { grants: [grant], isRefused: false, notes: [] }
  }
  if (ldap === null) return unknown(`${shown(name)} is no user of the ACL file`)
  return (
    (await directoryGrants(name, ldap, where.settings)) ??
    unknown(`the directory refuses ${shown(name)}`)
  )
}

/** `null`: the directory refuses the name or the password. */
async function directoryGrants(
  name: string,
  ldap: NonNullable<Clients['ldap']>,
  where: Where,
): Promise<Subject | null> {
  const password = process.env['PUBSUBD_PASSWORD'] || null
  await using directory = new LdapDirectory(ldap, () => {})
  let dns: readonly string[] | null
  try {
    dns = await directory.grantsOf(name, password)
  } catch (error) {
    throw new GaveUpError(`the directory cannot be asked: ${(error as Error).message}`, {
      cause: error,
    })
  }
  if (dns === null) return null
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
  const asked =
    password === null
      ? 'without a password (PUBSUBD_PASSWORD), which may have shown less, and says nothing about whether the name exists'
      : 'as that user'
  const found = dns.length === 0 ? 'nothing of clients.ldap.acl' : dns.join(' and ')
  return {
    grants,
    isRefused: false,
    notes: [
      `${shown(name)} is no user of the ACL file; the directory, asked ${asked}, finds ${found}`,
    ],
  }
}
