import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const SOURCE = fileURLToPath(new URL('../../src/cli/exit-at-once.ts', import.meta.url))

test('a process ends with its code and all that it has printed, though a thread goes on', () => {
  const program = `
    import { Worker } from 'node:worker_threads'
    import { loadExit } from ${JSON.stringify(SOURCE)}
    new Worker('setInterval(() => {}, 1_000)', { eval: true })
    const exit = await loadExit()
    process.stdout.write('x'.repeat(10_000))
    process.stderr.write('the end')
    exit(7)`
  const words = ['--input-type=module', '--eval', program]
  const { status, stdout, stderr } = spawnSync(process.execPath, words, {
    encoding: 'utf8',
    maxBuffer: 2_000_000,
  })
  assert.equal(status, 7)
  assert.equal(stdout.length, 10_000)
  assert.equal(stderr, 'the end')
})
