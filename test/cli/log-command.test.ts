import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Command } from './command.ts'
import { Workplace } from './log-command.ts'

test('pubsubd log --help explains every command', async () => {
  using place = new Workplace()
  const help = await place.output('--help')
  for (const name of ['info', 'verify', 'export', 'import', 'backup'])
    assert.match(help, new RegExp(`^  ${name}\\b`, 'm'))
  assert.equal(await place.output('export', '--help'), help)
  assert.equal(await place.output('-h'), help)
})

test('wrong usage is told with what to do, and exit code 2', async () => {
  using place = new Workplace()
  const cases: [string[], RegExp][] = [
    [[], /^pubsubd log: which command\?\nTry pubsubd log --help\.\n$/],
    [['inform'], /^pubsubd log: there is no command "inform", did you mean info\?\n/],
    [['info', 'x'], /^pubsubd log info: unexpected "x"\n/],
    [['info', '--store', ''], /^pubsubd log info: --store is empty/],
    [['backup', ''], /^pubsubd log backup: name 1 of the command is empty/],
    [['info', '--nonsense'], /^pubsubd log info: there is no option --nonsense/],
    [['verify', '--store'], /^pubsubd log verify: Option '--store <value>' argument missing/],
    [
      ['export', '--since', 'soon', '--store', '.'],
      /^pubsubd log export: "soon" is no time; write /,
    ],
    [
      ['export', '--until', '2026-13-01', '--store', '.'],
      /^pubsubd log export: "2026-13-01" is no/,
    ],
    [['import', '.', '--store', 's'], /^pubsubd log import: \. is not a file\n/],
    [
      ['backup', '--store', '.'],
      /^pubsubd log backup: name the directory that shall hold the copy/,
    ],
  ]
  for (const [words, message] of cases) {
    const { code, out, err } = await place.run(words)
    assert.deepEqual([code, out], [2, ''], words.join(' '))
    assert.match(err, message)
  }
})

test('a store that is not there is told with where to look, and exit code 1', async () => {
  using place = new Workplace()
  place.write('no-store.yaml', 'server: {}\nclients: {}\n')
  place.write('store.yaml', 'server: {backlog: {storage: data/events}}\nclients: {}\n')
  place.write('broken.yaml', 'server: {port: many}\nclients: {}\n')
  const cases: [string[], RegExp][] = [
    [['info'], /there is no \S*pubsub\.yaml: name yours by --config FILE/],
    [
      ['info', '--config', 'no-store.yaml'],
      /no-store\.yaml has no server\.backlog\.storage, .*--store DIR$/,
    ],
    [['verify', '--config', 'store.yaml'], /data\/events\.pubsubd holds no store .*--store DIR$/],
    [
      ['verify', '--config', 'broken.yaml'],
      /broken\.yaml, line 1, column \d+: server\.port must be/,
    ],
    [['export', '--store', 'nowhere'], /nowhere holds no store/],
    [['backup', 'copy', '--store', 'no\u001b[31mwhere'], /no\\u\{1b\}\[31mwhere holds no store/],
    [['import', 'nothing.ndjson', '--store', 's'], /ENOENT.*nothing\.ndjson/],
  ]
  for (const [words, message] of cases) {
    const { code, out, err } = await place.run(words)
    assert.deepEqual([code, out], [1, ''], words.join(' '))
    assert.match(err.trimEnd(), message)
    assert.equal(err.split('\n').length, 2, err) // one line, no stack
  }
})

test('pubsubd --help leads to the log commands', async () => {
  await using command = new Command({}, ['--help'])
  assert.equal(await command.exit(), 0)
  assert.match(command.stdout, /pubsubd log --help/)
})
