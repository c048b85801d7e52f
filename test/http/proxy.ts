import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, globSync, openSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { DEADLINE_MS } from '../deadline.ts'
import { APACHE, HAPROXY, missing, NGINX } from '../programs.ts'
import { portForRestarts } from '../clients/pubsub-server.ts'
import { FIRST } from '../config/certificates.ts'
import { TemporaryFiles } from '../config/temporary-files.ts'

/** A proxy of Debian, with the configuration that docs/proxies/ ships for it. */
export interface Proxy {
  readonly name: string
  /** `false`, or why it cannot be run here. */
  readonly missing: string | false
  /** As that of a way, over HTTP/1.1. */
  readonly noticesDepartures: boolean
  /** In docs/proxies/. */
  readonly file: string
  /** What stands in the file for a port or a path of an installation, and what stands there in a test. In this order: a port of a test may begin with 2069. */
  readonly replacements: (here: Here) => Readonly<Record<string, string>>
  /** What is run once the file is in place: a command line. */
  readonly commandLine: (here: Here, site: string) => readonly string[]
}

/** Where a proxy of a test is. */
interface Here {
  readonly files: TemporaryFiles
  readonly port: number
  readonly upstreamPort: number
}

export interface RunningProxy extends AsyncDisposable {
  readonly port: number
}

const certificate = ({ files }: Here) => files.write('cert.pem', FIRST.certPem)
const key = ({ files }: Here) => files.write('key.pem', FIRST.keyPem)

export const PROXIES = {
  nginx: {
    name: 'nginx',
    missing: missing('nginx'),
    noticesDepartures: true,
    file: 'nginx.conf',
    replacements: (here) => ({
      '127.0.0.1:2069': `127.0.0.1:${here.upstreamPort}`,
      'listen 443 ': `listen 127.0.0.1:${here.port} `,
      '/etc/nginx/pubsubd.pem': certificate(here),
      '/etc/nginx/pubsubd.key': key(here),
    }),
    commandLine({ files: { directory }, files }, site) {
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      const around = files.write(
        'around',
        `daemon off;
master_process off;
pid ${directory}/pid;
error_log stderr warn;
events {}
http {
  access_log off;
  ${temporary.map((each) => `${each}_temp_path ${directory}/${each};`).join('\n  ')}
  include ${site};
}
`,
      )
      return [NGINX, '-p', directory, '-e', 'stderr', '-c', around]
    },
  },
  apache: {
    name: 'Apache httpd',
    missing: missing('apache'),
    noticesDepartures: false,
    file: 'apache.conf',
    replacements: (here) => ({
      '127.0.0.1:2069': `127.0.0.1:${here.upstreamPort}`,
      '*:443': `127.0.0.1:${here.port}`,
      '/etc/apache2/pubsubd.pem': certificate(here),
      '/etc/apache2/pubsubd.key': key(here),
      '"/etc/apache2/pubsubd-away.asis"': `"${here.files.write('away.asis', shipped('apache-away.asis'))}"`,
    }),
    commandLine({ files: { directory }, files, port }, site) {
      chmodSync(directory, 0o711) // where root runs the tests, its children are somebody else
      const modules = globSync(
        '{mpm_event,authz_core,alias,proxy,proxy_http,ssl,http2,headers,asis,reqtimeout}.load',
        { cwd: '/etc/apache2/mods-available' },
      )
      const around = files.write(
        'around',
        `ServerRoot ${directory}
DefaultRuntimeDir ${directory}
PidFile ${directory}/pid
ServerName pubsub.test
User www-data
Group www-data
ErrorLog /dev/stderr
LogLevel warn
Listen 127.0.0.1:${port}
${modules.map((each) => `Include /etc/apache2/mods-available/${each}`).join('\n')}
RequestReadTimeout header=20-40,minrate=500 body=20,minrate=500
<Directory />
  Require all denied
</Directory>
Include ${site}
`,
      )
      return [APACHE, '-D', 'FOREGROUND', '-f', around]
    },
  },
  haproxy: {
    name: 'HAProxy',
    missing: missing('haproxy'),
    noticesDepartures: false,
    file: 'haproxy.cfg',
    replacements: (here) => ({
      '127.0.0.1:2069': `127.0.0.1:${here.upstreamPort}`,
      'bind :443 ': `bind 127.0.0.1:${here.port} `,
      '/etc/haproxy/pubsubd.pem': here.files.write('both.pem', FIRST.certPem + FIRST.keyPem),
    }),
    commandLine({ files }, site) {
      // What Debian's haproxy.cfg says before.
      const around = files.write(
        'around',
        `defaults
  mode http
  timeout connect 5000
  timeout client 50000
  timeout server 50000
  errorfile 502 /etc/haproxy/errors/502.http
  errorfile 503 /etc/haproxy/errors/503.http
  errorfile 504 /etc/haproxy/errors/504.http
`,
      )
      return [HAPROXY, '-q', '-db', '-f', around, '-f', site]
    },
  },
  caddy: {
    name: 'Caddy',
    missing: missing('caddy'),
    noticesDepartures: true,
    file: 'Caddyfile',
    replacements: (here) => ({
      '127.0.0.1:2069': `127.0.0.1:${here.upstreamPort}`,
      'pubsub.example.org {': `https://:${here.port} {\n\tbind 127.0.0.1`,
      '/etc/caddy/pubsubd.pem': certificate(here),
      '/etc/caddy/pubsubd.key': key(here),
    }),
    commandLine({ files }, site) {
      const around = files.write(
        'around',
        `{
	admin off
	auto_https disable_redirects
	log {
		level ERROR
	}
	servers {
		protocols h1 h2
	}
}
import ${site}
`,
      )
      return ['caddy', 'run', '--adapter', 'caddyfile', '--config', around]
    },
  },
} as const satisfies Readonly<Record<string, Proxy>>

function shipped(file: string): string {
  return readFileSync(new URL(`../../docs/proxies/${file}`, import.meta.url), 'utf8')
}

/** The shipped configuration in front of that port, with other ports and paths; `changes` are what a test is about. */
export async function startProxy(
  proxy: Proxy,
  upstreamPort: number,
  changes: Readonly<Record<string, string>> = {},
): Promise<RunningProxy> {
  const files = new TemporaryFiles()
  const here: Here = { files, port: await portForRestarts(), upstreamPort }
  let site = shipped(proxy.file)
  for (const [written, instead] of Object.entries({ ...proxy.replacements(here), ...changes })) {
    assert.equal(site.split(written).length, 2, `${written} once in the shipped configuration`)
    site = site.replace(written, () => instead)
  }
  const [command, ...args] = proxy.commandLine(here, files.write('site', site))
  const told = join(files.directory, 'stderr')
  const running = spawn(command!, args, {
    stdio: ['ignore', 'ignore', openSync(told, 'w')],
    env: { ...process.env, HOME: files.directory },
    detached: true, // a group of its own
  })
  const exited = once(running, 'exit')
  const deadlineMs = performance.now() + DEADLINE_MS
  while (!(await listens(here.port))) {
    const hasEnded = running.exitCode !== null
    assert.ok(!hasEnded, `${proxy.name} has ended: ${readFileSync(told, 'utf8')}`)
    assert.ok(performance.now() < deadlineMs, `${proxy.name} does not listen`)
    await setTimeout(10)
  }
  return {
    port: here.port,
    async [Symbol.asyncDispose]() {
      if (running.exitCode === null) process.kill(-running.pid!, 'SIGKILL') // with its children
      await exited
      files[Symbol.dispose]()
    },
  }
}

async function listens(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
