import { LdapDirectory, type LdapDirectoryOptions } from '../../src/auth/ldap-directory.ts'
import { DEADLINE_MS } from '../deadline.ts'
import { BASE_DN, GROUPS, MEMBERSHIP_PATTERNS, SERVICE, USER_DN, type Slapd } from './slapd.ts'

/** How a directory knows a user: by the DN that is made of the name, or by a search for it. */
export const WAYS: Readonly<Record<string, Partial<LdapDirectoryOptions>>> = {
  'by its DN': {},
  'by a search': { search: { bindAs: SERVICE, base: BASE_DN, filter: '(uid=%s)' } },
}

/**
 * A directory whose groups let their members see private events on a topic named after the group (see `GROUPS`), and
 * committers publish to `releases`.
 */
export function openDirectory({
  uri,
  log = [],
  ...options
}: Pick<Slapd, 'uri'> & Partial<LdapDirectoryOptions> & { log?: string[] }): LdapDirectory {
  const acl = Object.entries(GROUPS).map(([name, dn]) => {
    const segments = new Map([['of the group', [name]]])
    return [dn, { segments, secureTopics: name === 'committers' ? ['releases'] : [] }] as const
  })
  return new LdapDirectory(
    {
      uri,
      userDn: options.search ? null : USER_DN,
      search: null,
      memberOf: null,
      baseScope: BASE_DN,
      membershipPatterns: MEMBERSHIP_PATTERNS,
      acl: new Map(acl),
      startTls: false,
      ca: null,
      timeoutMs: DEADLINE_MS,
      cacheMs: 0,
      recheckMs: 50,
      graceMs: 60_000,
      connectionsMax: 2,
      waitingMax: 1_000,
      ...options,
    },
    (level, message) => log.push(`${level}: ${message}`),
  )
}
