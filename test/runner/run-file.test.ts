import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TemporaryFiles } from '../config/temporary-files.ts'
import { isRunning } from './processes.ts'
import { runFile, type FileOptions } from './run-file.ts'

async function run(source: string, options: Partial<FileOptions> = {}) {
  using files = new TemporaryFiles()
  return await runFile(files.write('some.test.mjs', source), {
    limitMs: 60_000,
    environment: process.env,
    signal: new AbortController().signal,
    ...options,
  })
}

test('tests that pass, fail and are skipped are told apart, groups are not counted', async () => {
  const result = await run(`
    import assert from 'node:assert'
    import { describe, test } from 'node:test'
    describe('group', () => {
      test('passes', () => {})
      test('fails', () => { console.log('before it'); assert.equal(1, 2) })
      test('is not for here', { skip: 'gcc is not here' }, () => {})
    })
    describe('none of it', { skip: 'go is not here' }, () => { test('a', () => {}) })
  `)
  assert.equal(result.passed, 1)
  assert.deepEqual(result.skipped, ['gcc is not here', 'go is not here'])
  assert.deepEqual(
    result.failures.map(({ name }) => name),
    ['group > fails'],
  )
  assert.match(result.failures[0]!.error, /AssertionError.*1 == 2[^]*some\.test\.mjs:6/)
  assert.equal(result.printed, 'before it\n')
})

test('a name may hold whatever a text may, and is told in one line', async () => {
  const name = 'a\n\u2028\u2029\r\0é🦀'
  const { failures } = await run(
    `import { test } from 'node:test'; test(${JSON.stringify(name)}, () => { throw new Error() })`,
  )
  assert.deepEqual(
    failures.map((failure) => failure.name),
    ['a\\u000a\\u2028\\u2029\\u000d\\u0000é🦀'],
  )
})

for (const [what, source, error] of [
  ['that cannot be read', 'import "./nowhere.mjs"', /^It ended with code 1/],
  [
    'that ends in the middle of a test',
    `import { test } from 'node:test'; test('never ends', () => new Promise(() => setTimeout(() => process.exit(3), 20)))`,
    /^It ended with code 3\. Still running: never ends$/,
  ],
  ['without tests', '', /^It has no tests\.$/],
] as const)
  test(`a file ${what} has failed`, async () => {
    const { failures } = await run(source)
    assert.equal(failures.length, 1)
    assert.match(failures[0]!.error, error)
  })

test('a file that hangs is ended, and what hangs is named', async () => {
  const { failures } = await run(
    `import { test } from 'node:test'
    test('waits', () => new Promise(() => setInterval(() => {}, 1000)))`,
    { limitMs: 1_000 },
  )
  assert.equal(failures.length, 1)
  assert.match(failures[0]!.error, /^It did not end within 1 s\. Still running: waits$/)
})

test('a process that a file leaves behind is ended, and is a failure', async () => {
  const { failures, passed, printed } = await run(
    `import { spawn } from 'node:child_process'
    import { test } from 'node:test'
    test('leaves one', () => {
      const child = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' })
      child.unref()
      console.log(child.pid)
    })`,
    { graceMs: 0 },
  )
  assert.equal(passed, 1)
  assert.match(failures[0]!.error, /^It left a process running, which was ended: \d+ sleep 1000$/)
  assert.ok(!isRunning(Number(printed)))
})
