import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { PYTHON, missing } from '../programs.ts'
import { startServer } from '../running-server.ts'

/** Prints what comes to the socket, a line of JSON for each datagram. */
const MANAGER = `
import json, socket, sys
name = sys.argv[1]
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind("\\0" + name[1:] if name.startswith("@") else name)
print(json.dumps("bound"), flush=True)
while True:
    print(json.dumps(manager.recv(4096).decode()), flush=True)
`

for (const isAbstract of [false, true])
  test(
    `a service manager is told when the server serves, reloads and stops (${isAbstract ? 'abstract socket' : 'socket with a path'})`,
    { skip: missing('python') },
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'pubsubd-notify-'))
      const name = isAbstract ? `@pubsubd-test-${process.pid}` : join(directory, 'notify')
      const manager = spawn(PYTHON, ['-c', MANAGER, name], { stdio: ['ignore', 'pipe', 'inherit'] })
      try {
        let text = ''
        manager.stdout.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        const told = async (count: number): Promise<string[]> => {
          while (text.split('\n').length <= count) await once(manager.stdout, 'data')
          return text
            .trim()
            .split('\n')
            .map((line) => JSON.parse(line))
        }
        await told(1)
        await using server = await startServer({
          config: 'server: {bind: 127.0.0.1, port: 0}\nclients: {payloaders: [127.0.0.1]}\n',
          acl: '{}',
          environment: { NOTIFY_SOCKET: name },
        })
        assert.match((await told(2))[1]!, /^READY=1\n/)
        server.process.kill('SIGHUP')
        const [, , reloading, ready] = await told(4)
        assert.match(reloading!, /^RELOADING=1\nMONOTONIC_USEC=\d+$/)
        assert.match(ready!, /^READY=1\n/)
        await server.stop()
        assert.match((await told(5))[4]!, /^STOPPING=1\n/)
      } finally {
        manager.kill()
        rmSync(directory, { recursive: true })
      }
    },
  )

test('nobody is told where no service manager has asked for it, or nobody reads what it is told', async () => {
  for (const name of ['', '/nowhere/at/all', 'relative']) {
    await using server = await startServer({
      config: 'server: {bind: 127.0.0.1, port: 0}\nclients: {payloaders: [127.0.0.1]}\n',
      environment: { NOTIFY_SOCKET: name },
    })
    assert.deepEqual(await server.stop(), { code: 0, signal: null })
  }
})
