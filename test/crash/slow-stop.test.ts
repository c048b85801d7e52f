import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { StoreView } from '../../src/log/tools/store-view.ts'
import { missing } from '../programs.ts'
import { TracedServer } from './traced-server.ts'

/** How long the disk takes for one call, in s: a stop that waited for it would take as long. */
const DELAY_S = 90

/** Calls that the disk is slow for while the server stops. */
const SLOW: Readonly<Record<string, string>> = {
  'each flush': 'fsync,fdatasync',
  'each read': 'pread64',
  'each write': 'pwrite64',
  'everything that it does': 'fsync,fdatasync,pread64,pwrite64,ftruncate,unlink',
}

for (const [what, calls] of Object.entries(SLOW))
  test(
    `a server whose disk is slow for ${what} stops all the same, and has all that was acknowledged`,
    { skip: missing('strace'), timeout: 240_000 },
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'pubsubd-stop-'))
      try {
        await using server = await TracedServer.start({
          directory,
          durability: 'disk',
          trace: null,
        })
        const publish = async (n: number) => {
          const body = JSON.stringify({ n, filling: 'x'.repeat(50_000) })
          const url = `http://127.0.0.1:${server.port}/a/${n}`
          return fetch(url, { method: 'PUT', body }).then(
            ({ status }) => status === 202,
            () => false,
          )
        }
        // So much that a checkpoint has something to do.
        const acknowledged = new Set<string>()
        for (let n = 0; n < 100; n++) if (await publish(n)) acknowledged.add(`/a/${n}`)
        assert.equal(acknowledged.size, 100)
        const fault = ['-e', `trace=${calls}`, '-e', `inject=${calls}:delay_enter=${DELAY_S}s`]
        const strace = spawn('strace', ['-f', '-o', '/dev/null', '-p', `${server.pid}`, ...fault], {
          stdio: ['ignore', 'ignore', 'pipe'],
        })
        await once(strace.stderr, 'data') // attached
        const underWay = publish(100)
        const startMs = performance.now()
        process.kill(server.pid, 'SIGTERM')
        await server.hasPrinted(/not stopped within 2\.8 s, .* ending by SIGKILL/)
        assert.ok(performance.now() - startMs < DELAY_S * 1_000, 'it has waited for the disk')
        strace.kill('SIGKILL') // it would hold the thread that waits
        await server.stop('SIGKILL')
        if (await underWay) acknowledged.add('/a/100')
        using view = new StoreView(join(directory, 'backlog.pubsubd'), () => {})
        const paths = new Set(
          [...view.pages()].flatMap(({ events }) => events.map(({ path }) => path)),
        )
        assert.deepEqual(
          [...acknowledged].filter((path) => !paths.has(path)),
          [],
        )
      } finally {
        rmSync(directory, { recursive: true, force: true })
      }
    },
  )
