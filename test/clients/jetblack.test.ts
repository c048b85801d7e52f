import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { DEADLINE_MS } from '../deadline.ts'
import { startInProcess } from '../in-process-server.ts'
import { JETBLACK_CLIENTS, missing, PYTHON } from '../programs.ts'

const CONFIG = `
server: {bind: 127.0.0.1, port: 0, backlog: {size: 1000}}
clients: {payloaders: [127.0.0.1]}
protocols: {jetblack: {heartbeat: 0.2s, ports: {0: WIRE}}}
`

/** The real clients: the one whose documentation users find, the one that pip gives them, and the newest. */
const CLIENTS = { '3.0.3': 'is-image', '4.1.1': 'is-image', '6.0.0a1': 'content-type' } as const

describe('the Python clients of jetblack-messagebus', { skip: missing('jetblack') }, () => {
  for (const [version, wire] of Object.entries(CLIENTS))
    test(`${version}: a select feed with image and delta, heartbeats, and events of HTTP both ways`, async (context) => {
      await using server = await startInProcess({ config: CONFIG.replace('WIRE', wire) })
      const { port } = new URL(server.urls.find((url) => url.startsWith('tcp:'))!)
      const program = fileURLToPath(new URL('jetblack/select_feed.py', import.meta.url))
      const python = spawn(PYTHON, [program, port, wire], {
        env: { ...process.env, PYTHONPATH: join(JETBLACK_CLIENTS, version) },
        stdio: ['pipe', 'pipe', 'pipe'],
        timeout: DEADLINE_MS,
      })
      context.after(() => python.kill('SIGKILL'))
      let errors = ''
      python.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
      const heard: Record<string, unknown>[] = []
      const lines = createInterface({ input: python.stdout })[Symbol.asyncIterator]()
      const until = async (isEnough: (told: Record<string, unknown>) => boolean) => {
        for (;;) {
          const { value, done } = await lines.next()
          assert.notEqual(done, true, `the client has ended:\n${errors}`)
          const told = JSON.parse(value!) as Record<string, unknown>
          if (told['kind'] !== 'heartbeat') heard.push(told)
          else assert.deepEqual(told, HEARTBEAT)
          if (isEnough(told)) return
        }
      }
      await until(({ kind }) => kind === 'heartbeat')
      await fetch(`${server.url}/fruits/apples`, { method: 'PUT', body: '{"n": 1.50}' })
      await until(({ topic }) => topic === 'apples')

      const [whole, delta] = wire === 'is-image' ? [true, false] : ['text/plain', 'text/plain']
      const sender = { user: 'nobody', host: '127.0.0.1', feed: 'LSE', topic: 'VOD' }
      const all = heard.toSorted((a, b) => ORDER.indexOf(a['kind']) - ORDER.indexOf(b['kind']))
      assert.deepEqual(all, [
        { kind: 'notification', ...sender, is_add: true },
        { kind: 'data', ...sender, packets: [[null, 'image']], mark: whole },
        {
          kind: 'data',
          ...sender,
          packets: [
            [[1, 2], 'delta'],
            [null, 'second'],
          ],
          mark: delta,
        },
        {
          kind: 'data',
          user: 'nobody',
          host: 'localhost',
          feed: 'fruits',
          topic: 'apples',
          packets: [[null, '{"n": 1.50}']],
          mark: wire === 'is-image' ? false : 'application/json',
        },
      ])
      const response = await fetch(`${server.url}/LSE?since=all&count=1`)
      const shown = (await response.text()).split('\n').find((line) => line.includes('packets'))
      assert.deepEqual(JSON.parse(shown!)['packets'], [{ data: 'delta' }, { data: 'second' }])
    })
})

/** The publisher and the subscriber print by themselves. */
const ORDER: unknown[] = ['notification', 'data']
const HEARTBEAT = {
  kind: 'heartbeat',
  user: 'admin',
  host: 'localhost',
  topic: 'heartbeat',
  packets: null,
}
