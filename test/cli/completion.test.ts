import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Command } from './command.ts'

/** Asks the function that `complete` has named, as bash does when the tab key is pressed. */
const ASK_BASH = `
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); COMP_LINE="$*"; COMP_POINT=\${#COMP_LINE}
function=$(complete -p pubsubd | sed 's/.* -F \\([^ ]*\\) .*/\\1/')
"$function" pubsubd "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "\${COMPREPLY[@]}"
`

/** `false`, or why not. With CI=true nothing is skipped: it fails. */
function whyWithout(shell: string): string | false {
  const isHere = spawnSync(shell, ['--version']).error === undefined
  return isHere || process.env['CI'] === 'true'
    ? false
    : `${shell} is not installed (apt install ${shell})`
}

describe('completion', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-completion-'))
  before(async () => {
    for (const shell of ['bash', 'zsh']) {
      await using command = new Command({}, ['completion', shell])
      assert.equal(await command.exit(), 0, command.stderr)
      writeFileSync(join(directory, shell), command.stdout)
    }
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
    assert.deepEqual(complete('npx-pubsubd', 'c'), ['check', 'completion'])
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

  for (const [shell, args, setUp] of [
    ['bash', '--norc -i', 'source ./bash'],
    ['zsh', '-f -i', 'autoload -Uz compinit && compinit -u -D && source ./zsh'],
  ] as const)
    test(
      `${shell} on a terminal completes what the tab key asks for`,
      {
        skip: whyWithout(shell),
      },
      async () => {
        await using terminal = new Command(
          {},
          { shell: `exec script -qec '${shell} ${args}' /dev/null`, in: directory },
          { input: 'open', environment: { TERM: 'dumb', PS1: '$ ' } },
        )
        const type = (text: string) => terminal.child.stdin!.write(text)
        type(`${setUp}; pubsubd() { printf '<%s>' "$@"; }; echo is-ready=$((1 + 1))\n`)
        await terminal.printed(/is-ready=2/)
        type('pubsubd lis\t--form\tpay\t\n')
        await terminal.printed(/<listen><--format><payload>/)
      },
    )

  for (const [command, words] of [
    ['publish', []],
    ['listen', []],
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
