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

test(
  'of an event whose flush fails its publisher is told that nobody knows, and of the next one that it was not stored',
  { skip: missing('strace'), timeout: 120_000 },
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'pubsubd-flush-'))
    try {
      await using server = await TracedServer.start({ directory, durability: 'disk', trace: null })
      const publish = async (path: string) => {
        const headers = { Accept: 'application/problem+json' }
        const url = `http://127.0.0.1:${server.port}${path}`
        const answer = await fetch(url, { method: 'PUT', body: '{}', headers })
        return answer.status === 202 ? 202 : ((await answer.json()) as { code: string }).code
      }
      assert.equal(await publish('/stored'), 202)
      const fault = ['-e', 'trace=fsync,fdatasync', '-e', 'inject=fsync,fdatasync:error=EIO']
      const strace = spawn('strace', ['-f', '-o', '/dev/null', '-p', `${server.pid}`, ...fault], {
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      await once(strace.stderr, 'data') // attached
      let code = await publish('/unknown')
      assert.equal(code, 'OUTCOME_UNKNOWN')
      code = await publish('/refused')
      assert.ok(code === 'LOG_UNAVAILABLE' || code === 'OUTCOME_UNKNOWN', String(code))
      await server.stop('SIGKILL')
      using view = new StoreView(join(directory, 'backlog.pubsubd'), () => {})
      const paths = [...view.pages()].flatMap(({ events }) => events.map(({ path }) => path))
      assert.equal(paths[0], '/stored')
      if (code === 'LOG_UNAVAILABLE') assert.ok(!paths.includes('/refused'))
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  },
)
