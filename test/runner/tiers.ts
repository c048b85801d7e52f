import { globSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Tier {
  /** The command that runs it. */
  readonly command: string
  /** What its files have in common, behind how many they are. */
  readonly what: string
}

export const TIERS = {
  quick: { command: 'npm test', what: 'that need only Node and what Debian usually has' },
  all: {
    command: 'npm run test:all',
    what: 'with real clients, proxies, browsers, directories, crashes, and suites run once more',
  },
  long: {
    command: 'npm run test:long',
    what: 'that take hours: many kills, soak, all fault matrices',
  },
} as const satisfies Readonly<Record<string, Tier>>

export type TierName = keyof typeof TIERS

/** Files, and folders with all that is in them, that `npm test` leaves out. What is not named here is in the quick tier. */
const LEFT_OUT: Readonly<Record<Exclude<TierName, 'quick'>, readonly string[]>> = {
  all: [
    'auth/equal-names.test.ts',
    'auth/ldap-connection.test.ts',
    'auth/ldap-directory.test.ts',
    'auth/ldap-lookup.test.ts',
    'auth/logins-directory.test.ts',
    'cli/completion-zsh.test.ts',
    'cli/explain-directory.test.ts',
    'cli/checkpoint-flush.test.ts',
    'clients/asfpy.test.ts',
    'clients/jetblack.test.ts',
    'clients/jetblack-clients.test.ts',
    'clients/chromium.test.ts',
    'clients/lines.test.ts',
    'clients/lonelyps-pairs.test.ts',
    'clients/lonelyps.test.ts',
    'clients/refused-bodies.test.ts',
    'clients/requests.test.ts',
    'clients/ruby.test.ts',
    'clients/sdk-go.test.ts',
    'clients/snippets.test.ts',
    'clients/sse-libraries.test.ts',
    'clients/websockets.test.ts',
    'crash/crash.test.ts',
    'crash/failing-flush.test.ts',
    'crash/flush.test.ts',
    'crash/replay-writes.test.ts',
    'crash/slow-stop.test.ts',
    'hostile/jetblack.test.ts',
    'hostile/hostile-group.test.ts', // whether the suite of hostile input can fail
    'http/server/identify-directory.test.ts',
    'http/stream/forms-apache.test.ts',
    'http/stream/forms-caddy.test.ts',
    'http/stream/forms-haproxy.test.ts',
    'http/stream/forms-nginx.test.ts',
    'http/stream/forms-tls.test.ts', // forms and waits of the quick tier once more
    'http/stream/waits-proxies.test.ts',
    'http/stream/waits-tls.test.ts',
    'package.test.ts',
    'protocols/jetblack/directory.test.ts',
    'proxies-table.test.ts',
    'proxies.test.ts',
    'sockets/direct-send-fallback.test.ts', // three suites of the quick tier once more
    'ui/page.test.ts',
  ],
  long: ['long/'],
}

/** Of what is named in `LEFT_OUT`; exported for the test that each of it exists. */
export const NAMED: readonly string[] = Object.values(LEFT_OUT).flat()

export const TEST_FOLDER = fileURLToPath(new URL('..', import.meta.url))

/** Tier of a file, given its path below `test/`. */
export function tierOf(file: string): TierName {
  for (const [tier, names] of Object.entries(LEFT_OUT))
    if (names.some((name) => covers(name, file))) return tier as TierName
  return 'quick'
}

/** Whether a name of the list means the file. */
export function covers(name: string, file: string): boolean {
  return name.endsWith('/') ? file.startsWith(name) : file === name
}

/** Paths below `test/` of all files with tests. */
export function testFiles(): string[] {
  return globSync('**/*.test.ts', { cwd: TEST_FOLDER }).toSorted()
}

/** Absolute paths of the files of a tier. */
export function filesOf(tier: TierName): string[] {
  return testFiles()
    .filter((file) => tierOf(file) === tier)
    .map((file) => join(TEST_FOLDER, file))
}
