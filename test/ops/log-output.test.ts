import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

const MODULE = JSON.stringify(new URL('../../src/ops/log-output.ts', import.meta.url).href)

/** A process with a log of its own, in that format. */
function logging(script: string, { format = 'json', level = 'info' } = {}) {
  const source = `
    import { ProcessLog } from ${MODULE}
    const log = new ProcessLog()
    log.set(${JSON.stringify({ format, level })})
    ${script}
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  return { child, exited: once(child, 'exit') }
}

interface Line {
  readonly level: string
  readonly time: string
  readonly message: string
}

function linesOf(output: string): Line[] {
  return output
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
}

describe('the log of a process', { concurrency: 4 }, () => {
  test('as JSON has level, time and message; nothing in it moves a terminal or looks like a line of its own', async () => {
    const { child } = logging(`
      log.write('info', 'one\\ntwo \\u001b[2J \\u0085 \\u2028 \\u202e "quoted" 100% %s')
      log.write('warn', 'three')
    `)
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
    assert.doesNotMatch(out.slice(0, -1), /[\p{C}\p{Zl}\p{Zp}]/u)
    const [line, ...more] = linesOf(out)
    assert.deepEqual(more, [])
    assert.equal(line!.level, 'info')
    assert.match(line!.time, /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    assert.equal(line!.message, 'one\ntwo \\u{1b}[2J \\u{85} \\u{2028} \\u{202e} "quoted" 100% %s')
    assert.deepEqual(
      linesOf(err).map(({ level, message }) => [level, message]),
      [['warn', 'three']],
    )
  })

  test('as text, and from some level on', async () => {
    const { child } = logging(
      `log.write('info', 'not this'); log.write('warn', 'a'); log.write('error', 'b')`,
      { format: 'text', level: 'warn' },
    )
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
    assert.equal(out, '')
    assert.match(err, /^20\S+Z warn a\n20\S+Z error b\n$/)
  })

  test('that nobody reads holds up nothing, takes bounded memory, and says how many lines were lost', async () => {
    const { child } = logging(`
      const message = 'x'.repeat(1_000)
      for (let n = 0; n < 20_000; n++) log.write('info', n + ' ' + message)
      process.stderr.write('went on\\n')
      process.stdin.on('end', () => log.write('info', 'the end')).resume()
    `)
    const [said] = await once(child.stderr, 'data')
    assert.equal(String(said), 'went on\n')
    const lines = linesOf(await textUntilTold(child))
    const told = lines.find(({ level }) => level === 'warn')!
    const lost = Number(/^(\d+) lines of the log were lost/.exec(told.message)?.[1])
    const numbered = lines.filter(({ message }) => /^\d+ x/.test(message))
    assert.ok(lost > 10_000)
    assert.equal(numbered.length + lost, 20_000)
  })

  test('whose reader has gone ends nothing', async () => {
    const { child, exited } = logging(`
      log.write('info', 'first')
      process.stdin.on('data', () => {
        for (let n = 0; n < 100; n++) log.write('info', 'nobody reads this')
        setTimeout(() => process.exit(7), 50)
      })
    `)
    await once(child.stdout, 'data')
    child.stdout.destroy()
    await sleep(10)
    child.stdin.write('go on')
    assert.deepEqual(await exited, [7, null])
    child.stderr.resume()
  })

  test('keeps the order of its lines where both streams lead to one place', async () => {
    const script = `
      import { ProcessLog } from ${MODULE}
      const log = new ProcessLog()
      log.set({ format: 'text', level: 'info' })
      for (let n = 0; n < 1_000; n++) log.write(n % 2 ? 'warn' : 'info', String(n))
    `
    const child = spawn(
      'sh',
      ['-c', 'exec "$0" --input-type=module -e "$1" 2>&1', process.execPath, script],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const numbers = [...(await text(child.stdout)).matchAll(/ (\d+)\n/g)].map(([, n]) => Number(n))
    assert.deepEqual(
      numbers,
      Array.from({ length: 1_000 }, (_, n) => n),
    )
  })
})

/** What it prints, read from now on, up to the line about those that were lost. */
async function textUntilTold({
  stdout,
  stdin,
}: ReturnType<typeof logging>['child']): Promise<string> {
  let all = ''
  for await (const chunk of stdout.setEncoding('utf8')) {
    all += chunk
    if (all.includes('lines of the log were lost') && all.endsWith('\n')) stdin.end()
  }
  return all
}
