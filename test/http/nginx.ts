import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { DEADLINE_MS } from '../deadline.ts'
import { NGINX } from '../programs.ts'
import { portForRestarts } from '../clients/pubsub-server.ts'
import { FIRST } from '../config/certificates.ts'
import { TemporaryFiles } from '../config/temporary-files.ts'

const SHIPPED = readFileSync(new URL('../../docs/proxies/nginx.conf', import.meta.url), 'utf8')

/** As Debian's nginx.conf includes it: in `http`, after nothing that matters here. */
const AROUND = (directory: string, site: string) => `
daemon off;
master_process off;
pid ${directory}/pid;
error_log stderr warn;
events {}
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((each) => `${each}_temp_path ${directory}/${each};`).join('\n  ')}
  include ${site};
}
`

export interface RunningNginx extends AsyncDisposable {
  readonly port: number
}

/** The shipped configuration in front of that port, with other ports and paths; `changes` are what a test is about. */
export async function startNginx(
  upstreamPort: number,
  changes: Readonly<Record<string, string>> = {},
): Promise<RunningNginx> {
  const files = new TemporaryFiles()
  const port = await portForRestarts()
  let site = SHIPPED
  for (const [shipped, here] of Object.entries({
    'listen 443 ': `listen 127.0.0.1:${port} `,
    '127.0.0.1:2069': `127.0.0.1:${upstreamPort}`,
    '/etc/nginx/pubsubd.pem': files.write('cert.pem', FIRST.certPem),
    '/etc/nginx/pubsubd.key': files.write('key.pem', FIRST.keyPem),
    ...changes,
  })) {
    assert.equal(site.split(shipped).length, 2, `${shipped} once in the shipped configuration`)
    site = site.replace(shipped, here)
  }
  const config = AROUND(files.directory, files.write('pubsubd.conf', site))
  const nginx = spawn(
    NGINX,
    ['-p', files.directory, '-e', 'stderr', '-c', files.write('nginx.conf', config)],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const told = text(nginx.stderr)
  const exited = once(nginx, 'exit')
  const deadlineMs = performance.now() + DEADLINE_MS
  while (!(await listens(port))) {
    assert.equal(
      nginx.exitCode,
      null,
      `nginx has ended: ${nginx.exitCode === null ? '' : await told}`,
    )
    assert.ok(performance.now() < deadlineMs, 'nginx does not listen')
    await setTimeout(10)
  }
  return {
    port,
    async [Symbol.asyncDispose]() {
      nginx.kill('SIGKILL')
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
