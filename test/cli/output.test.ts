import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Command } from './command.ts'

for (const words of [
  '--help',
  '--version',
  'publish --help',
  'listen -h',
  'log --help',
  'log info --help',
  'completion bash',
]) {
  const name = words.startsWith('-') ? '' : ` ${/^(?:log info|\S+)/.exec(words)![0]}`

  test(`"pubsubd ${words}" onto a full disk says so in a line`, async () => {
    const shell = `exec "$PUBSUBD" ${words} >/dev/full`
    await using command = new Command({}, { shell })
    assert.equal(await command.exit(), 1)
    assert.equal(
      command.stderr,
      `pubsubd${name}: standard output: ENOSPC: no space left on device, write\n`,
    )
  })

  test(`"pubsubd ${words}" into a pipe that is closed ends without a word`, async () => {
    // The subshell has ended, and nobody else has the reading end, once the line comes.
    const shell = `{ "$NODE" -e 'setTimeout(() => {}, 300)'; "$PUBSUBD" ${words}; echo "exit code $?" >&2; } | true`
    await using command = new Command({}, { shell })
    assert.equal(await command.exit(), 0)
    assert.equal(command.stderr, 'exit code 0\n')
  })
}
