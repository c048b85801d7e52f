import assert from 'node:assert/strict'
import { Command } from './command.ts'

/** What a shell is to read. */
export async function completionOf(shell: string): Promise<string> {
  await using command = new Command({}, ['completion', shell])
  assert.equal(await command.exit(), 0, command.stderr)
  return command.stdout
}

/** A shell with a terminal of its own completes a command and an option when the tab key is pressed. */
export async function completesOnTerminal(
  shell: string,
  args: string,
  setUp: string,
): Promise<void> {
  await using terminal = new Command(
    { [shell]: await completionOf(shell) },
    { shell: `exec script -qec '${shell} ${args}' /dev/null` },
    { input: 'open', environment: { TERM: 'dumb', PS1: '$ ' } },
  )
  const type = (text: string) => terminal.child.stdin!.write(text)
  type(`${setUp}; pubsubd() { printf '<%s>' "$@"; }; echo is-ready=$((1 + 1))\n`)
  await terminal.printed(/is-ready=2/)
  type('pubsubd lis\t--form\tpay\t\n')
  await terminal.printed(/<listen><--format><payload>/)
}
