import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { TemporaryFiles } from '../config/temporary-files.ts'
import { isRunning } from './processes.ts'

const RUNNER = fileURLToPath(new URL('run.ts', import.meta.url))

function runner(...files: readonly string[]) {
  const child = spawn(process.execPath, [RUNNER, 'quick', ...files], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return { child, output: text(child.stdout), ended: once(child, 'exit') }
}

test('a run in which all passes ends with how many, and with 0', async () => {
  using files = new TemporaryFiles()
  const source = `import { test } from 'node:test'; test('a', () => {}); test('b', () => {})`
  const { output, ended } = runner(files.write('a.test.mjs', source))
  assert.deepEqual(await ended, [0, null])
  assert.match(await output, /^1 file, \d+ at a time\n[^]*\n2 passed, 0 failed, 0 skipped\n$/)
})

test('what failed is told in full, with how to run it alone, and what was skipped with its reason', async () => {
  using files = new TemporaryFiles()
  const good = files.write(
    'good.test.mjs',
    `import { test } from 'node:test'
    test('a', () => {})
    test('b', { skip: 'go is not here: apt-get install golang-go' }, () => {})`,
  )
  const bad = files.write(
    'bad.test.mjs',
    `import { test } from 'node:test'; test('c', () => { throw new Error('of this kind') })`,
  )
  const { output, ended } = runner(good, bad)
  assert.deepEqual(await ended, [1, null])
  const told = await output
  assert.match(told, /^FAILED \S+bad\.test\.mjs: c$/m)
  assert.match(told, /Error: of this kind\n {6}at /)
  assert.match(told, /^Alone: npm test -- \S+bad\.test\.mjs$/m)
  assert.match(told, /^ {2}go is not here: apt-get install golang-go \(\S+good\.test\.mjs\)$/m)
  assert.match(told, /\n1 passed, 1 failed, 1 skipped\n$/)
})

test('a file that is not there is a wrong usage', async () => {
  const { ended } = runner('test/nowhere.test.ts')
  assert.deepEqual(await ended, [2, null])
})

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  test(`${signal} ends a run in one line, by that signal, and all that it has started`, async () => {
    using files = new TemporaryFiles()
    const pidFile = files.write('pid', '')
    const source = `
      import { spawn } from 'node:child_process'
      import { writeFileSync } from 'node:fs'
      import { test } from 'node:test'
      test('hangs', async () => {
        const { pid } = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' })
        writeFileSync(${JSON.stringify(pidFile)}, String(pid))
        await new Promise(() => {})
      })`
    const { child, output, ended } = runner(files.write('a.test.mjs', source))
    let pid = ''
    while (pid === '') {
      await sleep(20)
      pid = readFileSync(pidFile, 'utf8')
    }
    child.kill(signal)
    child.kill(signal) // npm passes on what the terminal has sent already
    assert.deepEqual(await ended, [null, signal])
    const [, ...lines] = (await output).trimEnd().split('\n')
    assert.deepEqual(
      lines.filter((line) => !/^\d+:\d\d /.test(line)),
      ['Interrupted when 0 of 1 files had ended'],
    )
    assert.ok(!isRunning(Number(pid)))
  })
