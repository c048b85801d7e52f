import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { Command, PROJECT } from './command.ts'
import { exported, exportedLines, FIRST_SECONDS, withoutCursors, Workplace } from './log-command.ts'

test('what was exported and imported is exported as the same', async () => {
  using place = new Workplace()
  const lines = [
    exported(0, { payload: '"n": 123456789012345678901234567890, "f": 1.0' }),
    exported(1, { isPrivate: true }),
    exported(2, { payload: String.raw`"é漢😀": "\ud800\u0000\/", "b": 1, "a": 2, "a": 3` }),
    exported(3, { payload: `"long": "${'x'.repeat(500_000)}"` }),
    exported(4, { topic: 'ä,b' }),
  ].join('')
  await place.store('s', lines)
  const first = await place.output('export', '--store', 's', '--private')
  assert.equal(withoutCursors(first), withoutCursors(lines))
  await place.store('s2', first)
  const second = await place.output('export', '--store', 's2', '--private')
  assert.equal(withoutCursors(second), withoutCursors(lines))
  const cursors = second.match(/"pubsub_cursor": "[^"]+"/g)
  assert.equal(new Set(cursors).size, 5)
  assert.equal(await place.output('export', '--store', 's2', '--private'), second)
})

test('a file has the characters that were published, and a terminal obeys none of them', async () => {
  using place = new Workplace()
  const raw = '\u009b31m\u202e\u2028\u2029\u0085\u007f'
  const line = exported(0, { topic: `t${raw}`, payload: `"text": "${raw}"` })
  await place.store('s', line)
  assert.equal(withoutCursors(await place.output('export', '--store', 's')), withoutCursors(line))
  const shell = `exec script -qec '"$PUBSUBD" log export --store s' /dev/null`
  await using terminal = new Command({}, { shell, in: place.directory })
  assert.equal(await terminal.exit(), 0, terminal.stderr)
  const shown = terminal.stdout.replaceAll('\r\n', '\n')
  assert.doesNotMatch(shown.replaceAll('\n', ''), /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u)
  assert.deepEqual(JSON.parse(shown).text, raw)
})

test('private events are left out unless they are asked for, and that is told', async () => {
  using place = new Workplace()
  await place.store('s', exported(0) + exported(1, { isPrivate: true }) + exported(2))
  const { code, out, err } = await place.run(['export', '--store', 's'])
  assert.deepEqual([code, withoutCursors(out)], [0, withoutCursors(exported(0) + exported(2))])
  assert.equal(err, 'private events left out: 1 (--private takes them along)\n')
})

test('a span of time is cut out exactly', async () => {
  using place = new Workplace()
  await place.store('s', exportedLines(0, 3_000))
  const numbers = async (...words: readonly string[]) => {
    const out = await place.output('export', '--store', 's', ...words)
    const found = [...out.matchAll(/"n": (\d+)/g)].map(([, n]) => Number(n))
    return [found[0], found.at(-1), found.length]
  }
  assert.deepEqual(await numbers(), [0, 2_999, 3_000])
  assert.deepEqual(await numbers('--since', at(1_000)), [1_000, 2_999, 2_000])
  assert.deepEqual(await numbers('--until', at(1_000)), [0, 999, 1_000])
  assert.deepEqual(await numbers('--since', date(10), '--until', date(20)), [10, 19, 10])
  assert.deepEqual(await numbers('--since', '1d'), [undefined, undefined, 0])
  assert.deepEqual(await numbers('--until', '1d'), [0, 2_999, 3_000])
  assert.deepEqual(await numbers('--since', '2023-11-14'), [0, 2_999, 3_000])
})

test('a damaged event is left out, and that is told with exit code 1', async () => {
  using place = new Workplace()
  await place.store('s', exportedLines(0, 5))
  place.change('s', `UPDATE events SET payload = '{"secret": 1}' WHERE seq = 3`)
  const { code, out, err } = await place.run(['export', '--store', 's'])
  assert.equal(code, 1)
  const others = exportedLines(0, 2) + exportedLines(3, 5)
  assert.equal(withoutCursors(out), withoutCursors(others))
  assert.equal(err, 'damaged places left out: 1 (pubsubd log verify says where)\n')
})

test('an export is of one moment, whatever a server deletes and adds while it is read', async () => {
  using place = new Workplace()
  await place.store('s', exportedLines(0, 5_000))
  const child = spawn(
    process.execPath,
    [`${PROJECT}src/cli/main.ts`, 'log', 'export', '--store', 's'],
    {
      cwd: place.directory,
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const lines: string[] = []
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    if (lines.length === 0) place.change('s', 'DELETE FROM events WHERE seq < 4990')
    lines.push(chunk)
  }
  if (child.exitCode === null) await once(child, 'close')
  assert.equal(child.exitCode, 0)
  assert.equal(withoutCursors(lines.join('')), withoutCursors(exportedLines(0, 5_000)))
})

test('whoever wants no more lines is not bothered', async () => {
  using place = new Workplace()
  await place.store('s', exportedLines(0, 20_000))
  const shell = spawn(
    'bash',
    [
      '-o',
      'pipefail',
      '-c',
      `"${process.execPath}" "${PROJECT}src/cli/main.ts" log export --store s | head -n 1`,
    ],
    { cwd: place.directory, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let told = ''
  shell.stderr.setEncoding('utf8').on('data', (text: string) => (told += text))
  await once(shell, 'close')
  assert.deepEqual([shell.exitCode, told], [0, ''])
})

/** When an event was published, as seconds since the Unix epoch. */
function at(n: number): string {
  return `${FIRST_SECONDS + n}.5`
}

function date(n: number): string {
  return new Date((FIRST_SECONDS + n) * 1_000 + 500).toISOString()
}
