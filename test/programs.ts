import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** A Python that has the packages of `clients/requirements.txt`. */
export const PYTHON = process.env['PUBSUBD_TEST_PYTHON'] ?? 'python3'

/** One that is new enough for the modules of `clients/sse-go`. */
export const GO = process.env['PUBSUBD_TEST_GO'] ?? 'go'

/** The Python clients of jetblack-messagebus, each in a folder named by its version: they cannot be installed side by side. */
export const JETBLACK_CLIENTS = process.env['PUBSUBD_TEST_JETBLACK'] ?? '/none'

/** Debian keeps it where only root looks. */
export const NGINX = '/usr/sbin/nginx'
export const APACHE = '/usr/sbin/apache2'
export const HAPROXY = '/usr/sbin/haproxy'

interface Program {
  /** Tells its version, or fails where the program is missing. */
  readonly probe: readonly [command: string, ...args: string[]]
  readonly install: string
  /** Whether a usual Debian has it: tests of `npm test` may use nothing else. */
  readonly isUsual: boolean
}

const PYTHON_PACKAGES =
  'python3 -m venv DIRECTORY; DIRECTORY/bin/pip install -r test/clients/requirements.txt; ' +
  'export PUBSUBD_TEST_PYTHON=DIRECTORY/bin/python'

/** The module whose packages are looked for. */
const SDK_GO = fileURLToPath(new URL('clients/sdk-go', import.meta.url))

function usual(install: string, ...probe: Program['probe']): Program {
  return { probe, install, isUsual: true }
}

function special(install: string, ...probe: Program['probe']): Program {
  return { probe, install, isUsual: false }
}

/** What tests run beside Node. A test that needs one of them asks `missing` for it, so that it is skipped with a reason. */
export const PROGRAMS = {
  bash: usual('apt-get install bash', 'bash', '--version'),
  curl: usual('apt-get install curl', 'curl', '--version'),
  gcc: usual('apt-get install gcc libc6-dev', 'gcc', '--version'),
  openssl: usual('apt-get install openssl', 'openssl', 'version'),
  python: usual('apt-get install python3', PYTHON, '--version'),
  apache: special('apt-get install apache2', APACHE, '-v'),
  asfpy: special(PYTHON_PACKAGES, PYTHON, '-c', 'import asfpy.pubsub, aiohttp, requests'),
  caddy: special('apt-get install caddy', 'caddy', 'version'),
  chromium: special('apt-get install chromium', 'chromium', '--version'),
  go: special('apt-get install golang-go', 'go', 'version'),
  goModules: special(
    `${PYTHON_PACKAGES}; export PUBSUBD_TEST_GO=DIRECTORY/bin/go`,
    'sh',
    '-c',
    `${GO} version | grep -qE 'go1[.](2[6-9]|[3-9][0-9])'`,
  ),
  httpx: special(PYTHON_PACKAGES, PYTHON, '-c', 'import httpx, requests'),
  haproxy: special('apt-get install haproxy', HAPROXY, '-v'),
  jetblack: special(
    'for v in 3.0.3 4.1.1 6.0.0a1; do pip install --no-deps --target DIRECTORY/$v jetblack-messagebus-python3==$v; done; ' +
      'export PUBSUBD_TEST_JETBLACK=DIRECTORY',
    'sh',
    '-c',
    'cd "$0" && for v in 3.0.3 4.1.1 6.0.0a1; do PYTHONPATH=$v "$1" -c "import jetblack_messagebus" || exit 1; done',
    JETBLACK_CLIENTS,
    PYTHON,
  ),
  lonelypsc: special(
    PYTHON_PACKAGES,
    PYTHON,
    '-c',
    'import lonelypsc.http_client, lonelypsc.ws_client',
  ),
  nginx: special('apt-get install nginx', NGINX, '-v'),
  ruby: special('apt-get install ruby', 'ruby', '--version'),
  sdkGo: special(
    'apt-get install golang-go; (cd test/clients/sdk-go && go mod download)',
    'sh',
    '-c',
    'cd "$0" && GOPROXY=off GOFLAGS=-mod=readonly go list -deps . >/dev/null',
    SDK_GO,
  ),
  slapd: special('apt-get install slapd ldap-utils', 'sh', '-c', 'PATH=$PATH:/usr/sbin slapd -VV'),
  sseLibraries: special(
    PYTHON_PACKAGES,
    PYTHON,
    '-c',
    'import aiohttp_sse_client, httpx, httpx_sse, requests_sse, sseclient',
  ),
  strace: special('apt-get install strace', 'strace', '-V'),
  websockets: special(PYTHON_PACKAGES, PYTHON, '-c', 'import websockets.sync.client'),
  zsh: special('apt-get install zsh', 'zsh', '--version'),
} as const satisfies Readonly<Record<string, Program>>

export type ProgramName = keyof typeof PROGRAMS

export const PROGRAM_NAMES = Object.keys(PROGRAMS) as readonly ProgramName[]

const known = new Map<ProgramName, boolean>()

export function hasProgram(name: ProgramName): boolean {
  const [command, ...args] = PROGRAMS[name].probe
  const has = known.get(name) ?? spawnSync(command, args, { stdio: 'ignore' }).status === 0
  known.set(name, has)
  return has
}

/** `false`, or why what needs this program is skipped here. With CI=true nothing is skipped: it fails. */
export function missing(name: ProgramName): string | false {
  if (hasProgram(name)) return false
  const reason = `${name} is not here: ${PROGRAMS[name].install}`
  if (process.env['CI'] === 'true') throw new Error(reason)
  return reason
}
