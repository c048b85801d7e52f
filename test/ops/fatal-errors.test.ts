import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FLAGS } from '../../src/cli/node-flags.ts'
import { startServer } from '../running-server.ts'

const CONFIG = JSON.stringify({
  server: { bind: '127.0.0.1', port: 0 },
  clients: { payloaders: ['127.0.0.1'] },
})

/** What each does when it is told to, and what is logged then. */
const FAULTS = {
  'an error': [
    "throw new TypeError('planted\\nsecond line \\x1b[2J')",
    /an error .*TypeError: planted/,
  ],
  'a rejection': [
    "void Promise.reject(new RangeError('planted'))",
    /a rejection .*RangeError: planted/,
  ],
  'what is no error': ["throw 'planted'", /an error .*planted/],
  'an error in a thread': [
    'new Worker(\'throw new RangeError("planted")\', { eval: true })',
    /an error .*RangeError: planted/,
  ],
} as const satisfies Record<string, readonly [string, RegExp]>

describe('the process of the server', { concurrency: 2 }, () => {
  for (const [name, [code, logged]] of Object.entries(FAULTS))
    test(`logs ${name} that nobody has caught, with its stack on one line, and ends with 70`, async () => {
      const plant = `import { Worker } from 'node:worker_threads'
        process.once('message', () => setImmediate(() => { ${code} }))`
      const module = `--import=data:text/javascript,${encodeURIComponent(plant)}`
      await using server = await startServer({ config: CONFIG, nodeFlags: [...FLAGS, module] })
      const ended = new Promise((resolve) => server.process.once('exit', resolve))
      server.process.send('now')
      assert.equal(await ended, 70)
      const lines = server.output().trim().split('\n')
      assert.match(lines.at(-1)!, /^\d{4}-\S+ error /)
      assert.match(lines.at(-1)!, logged)
      if (name !== 'what is no error') assert.match(lines.at(-1)!, /\\n +at /)
      assert.ok(!server.output().includes('\u001b'))
    })
})
