import { spawnSync } from 'node:child_process'

/** A Python that has the packages of `requirements.txt`. */
export const PYTHON = process.env['PUBSUBD_TEST_PYTHON'] ?? 'python3'

export const CURL_MISSING = missing('curl', ['--version'], 'apt install curl')

export const RUBY_MISSING = missing('ruby', ['--version'], 'apt install ruby')

export const ASFPY_MISSING = missing(
  PYTHON,
  ['-c', 'import asfpy.pubsub, aiohttp, requests'],
  'python3 -m venv DIRECTORY; DIRECTORY/bin/pip install -r test/clients/requirements.txt; ' +
    'export PUBSUBD_TEST_PYTHON=DIRECTORY/bin/python',
)

export const WEBSOCKETS_MISSING = missing(
  PYTHON,
  ['-c', 'import websockets.sync.client'],
  'python3 -m venv DIRECTORY; DIRECTORY/bin/pip install -r test/clients/requirements.txt; ' +
    'export PUBSUBD_TEST_PYTHON=DIRECTORY/bin/python',
)

export const LONELYPS_MISSING = missing(
  PYTHON,
  ['-c', 'import lonelypsc.http_client, lonelypsc.ws_client'],
  'python3 -m venv DIRECTORY; DIRECTORY/bin/pip install -r test/clients/requirements.txt; ' +
    'export PUBSUBD_TEST_PYTHON=DIRECTORY/bin/python',
)

/** Any Python will do for what needs its standard library only. */
export const PYTHON_MISSING = missing(PYTHON, ['--version'], 'apt install python3')

export const GO_MISSING = missing('go', ['version'], 'apt install golang-go')

export const CHROMIUM_MISSING = missing('chromium', ['--version'], 'apt install chromium')

/** Debian keeps it where only root looks. */
export const NGINX = '/usr/sbin/nginx'

export const NGINX_MISSING = missing(NGINX, ['-v'], 'apt install nginx')

/** `false`, or why the tests of a client are skipped here. With CI=true nothing is skipped: they fail. */
function missing(program: string, args: readonly string[], remedy: string): string | false {
  const { status } = spawnSync(program, args, { stdio: 'ignore' })
  if (status === 0) return false
  const reason = `\`${program} ${args.join(' ')}\` fails. To install: ${remedy}`
  if (process.env['CI'] === 'true') throw new Error(reason)
  return reason
}
