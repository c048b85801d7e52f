import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Command } from './command.ts'
import { completesOnTerminal, completionOf } from './completion-on-terminal.ts'

/** Asks the function that `complete` has named, as bash does when the tab key is pressed. */
const ASK_BASH = `
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); COMP_LINE="$*"; COMP_POINT=\${#COMP_LINE}
function=$(complete -p pubsubd | sed 's/.* -F \\([^ ]*\\) .*/\\1/')
"$function" pubsubd "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "\${COMPREPLY[@]}"
`

describe('completion', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-completion-'))
  before(async () => {
    writeFileSync(join(directory, 'bash'), await completionOf('bash'))
    writeFileSync(join(directory, 'two words.yaml'), '')
    mkdirSync(join(directory, 'twofold'))
  })
  after(() => rmSync(directory, { recursive: true }))

  const complete = (...words: readonly string[]): string[] => {
    const { stdout, stderr } = spawnSync(
      'bash',
      ['--norc', '-c', ASK_BASH, 'bash', join(directory, 'bash'), ...words],
      { cwd: directory, encoding: 'utf8' },
    )
    assert.equal(stderr, '')
    return stdout.split('\n').filter((line) => line !== '')
  }

  test('bash completes commands, and those below log', () => {
    assert.deepEqual(complete('pubsubd', 'l'), ['listen', 'log'])
    assert.deepEqual(complete('pubsubd', 'log', 'i'), ['info', 'import'])
    assert.deepEqual(complete('pubsubd', 'explain', ''), ['publish', 'listen'])
    assert.deepEqual(complete('npx-pubsubd', 'c'), ['config', 'check', 'completion'])
  })

  test('bash completes options of the command that stands there', () => {
    assert.deepEqual(complete('pubsubd', 'listen', 'http://a/', '--c'), [
      '--cursor',
      '--checkpoint',
      '--count',
    ])
    assert.deepEqual(complete('pubsubd', 'log', 'import', '--'), [
      '--pypubsub',
      '--config',
      '--store',
      '--help',
    ])
    assert.deepEqual(complete('pubsubd', '--a'), ['--acl'])
  })

  test('bash completes choices and files, whatever their names', () => {
    assert.deepEqual(complete('pubsubd', 'listen', '--format', 'p'), ['payload', 'pretty'])
    assert.deepEqual(complete('pubsubd', 'listen', '--on-gap', '=', 'f'), ['fail'])
    assert.deepEqual(complete('pubsubd', 'check', '--config', 'two').toSorted(), [
      'two words.yaml',
      'twofold',
    ])
    assert.deepEqual(complete('pubsubd', 'publish', 'http://a/', 'two').toSorted(), [
      'two words.yaml',
      'twofold',
    ])
    assert.deepEqual(complete('pubsubd', 'listen', '--count', ''), [])
  })

  test('bash on a terminal completes what the tab key asks for', () =>
    completesOnTerminal('bash', '--norc -i', 'source ./bash'))

  for (const [command, words] of [
    ['publish', []],
    ['listen', []],
    ['config', []],
    ['check', []],
    ['explain', []],
    ['log', ['export']],
    ['log', ['import']],
  ] as const)
    test(`every option of ${[command, ...words].join(' ')} is in its help, and the other way round`, async () => {
      await using help = new Command({}, [command, '--help'])
      assert.equal(await help.exit(), 0)
      const completed = complete('pubsubd', command, ...words, '--').filter(
        (option) => option !== '--help',
      )
      assert.ok(completed.length >= 2)
      for (const option of completed) assert.match(help.stdout, new RegExp(`${option}\\b`))
      if (command === 'log') return
      const written = [...help.stdout.matchAll(/^ {2}(?:-\w, | {4})?(--[a-z-]+)/gm)].map(
        ([, option]) => option!,
      )
      assert.deepEqual(new Set(written), new Set(completed))
    })
})
