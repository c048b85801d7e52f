import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { missing } from '../programs.ts'
import { listen } from '../http/requests.ts'
import { ClientProcess } from './client-process.ts'
import { newTopic, sharedPubsub } from './pubsub-server.ts'

const SOURCES = fileURLToPath(new URL('sdk-go', import.meta.url))

const PLAIN = { id: '1', source: '/shop', type: 'org.example', subject: 's', comexample: 'c' }

/** What the binding would have percent-encoded and this SDK writes as it stands. */
const WRITTEN: readonly Partial<typeof PLAIN>[] = [
  {},
  { subject: 'Ünï çødé' },
  { subject: '日本語\u2028🦀' },
  { subject: '100%' },
  { subject: '"100 %" \\ of it' },
  { subject: '%zz %4' },
  { subject: '%C3%A9 is é' },
  { subject: 'é', comexample: '50%25 "quoted"' },
  { id: 'é', type: 'org.exämple' },
  { source: '/a%20b' },
  { source: '/a%20b%2520c', subject: '%41' },
]

describe('CloudEvents of the SDK for Go, binary', { skip: missing('sdkGo') }, () => {
  const server = sharedPubsub()
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-sdk-go-'))
  const program = join(directory, 'sdk-go')
  before(() => {
    const { status, stderr } = spawnSync('go', ['build', '-o', program, '.'], { cwd: SOURCES })
    assert.equal(status, 0, String(stderr))
  })
  after(() => rmSync(directory, { recursive: true }))

  test('are published with the attributes that were set', async () => {
    const path = `/${newTopic()}`
    await using stream = await listen(server(), path)
    const sent = WRITTEN.map((attributes) => ({ ...PLAIN, ...attributes }))
    const input = sent.map((attributes) => `${JSON.stringify(attributes)}\n`).join('')
    await using sender = new ClientProcess(program, [server().url + path], { input })
    const { lines, errors } = await sender.ended()
    assert.deepEqual(
      lines,
      sent.map(() => '202: '),
      errors,
    )
    for (const attributes of sent) {
      const { json } = await stream.event()
      const { id, source, type, subject, comexample, data } = json
      assert.deepEqual({ id, source, type, subject, comexample }, attributes)
      assert.deepEqual(data, attributes)
    }
  })
})
