import { BASE_DN, GROUPS, MEMBERSHIP_PATTERNS, USER_DN } from '../auth/slapd.ts'
import { Command } from './command.ts'

const SETTINGS = `server: {}
clients:
  payloaders:
    - 127.0.0.1
    - 10.0.0.0/8
  secure_topics: [release, commit]
  bad_credentials: reject
`
const ACL = `alice:
  password: a
  acl:
    mail: [email, dev]
    mine: [x]
  topics: [commit]
nopass:
  acl: {all: []}
`

/** Runs `pubsubd explain` with these files. `door`: the section of lonelyps. */
export async function explain(
  words: readonly string[],
  {
    settings = SETTINGS,
    acl = ACL,
    environment = {},
    door,
  }: {
    settings?: string
    acl?: string
    environment?: Readonly<Record<string, string>>
    door?: string
  } = {},
) {
  const protocols = door === undefined ? '' : `protocols:\n  lonelyps: ${door}\n`
  const files = {
    'pubsub.yaml': `${settings}${protocols}`,
    'pubsub_acl.yaml': acl,
    'secrets.json': '{}',
  }
  await using command = new Command(files, ['explain', ...words], { environment })
  const code = await command.exit()
  return { code, told: command.stdout.trimEnd().split('\n'), errors: command.stderr }
}

/** The settings, with a directory. */
export function withDirectory(uri: string): string {
  return `${SETTINGS}  ldap:
    uri: ${uri}
    user_dn: ${USER_DN}
    base_scope: ${BASE_DN}
    membership_patterns: ${JSON.stringify(MEMBERSHIP_PATTERNS)}
    timeout: 5s
    acl:
      ${GROUPS.committers}:
        commits: [commit]
        topics: [release]
`
}
