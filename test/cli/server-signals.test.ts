import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Command } from './command.ts'

const CONFIG = `
server: {bind: 127.0.0.1, port: 0}
clients: {payloaders: [127.0.0.1]}
`

/** A server that reads its users from a pipe, and so waits in the middle of its start. */
async function startingServer() {
  const command = new Command(
    { 'pubsub.yaml': CONFIG },
    { shell: 'exec "$NODE" "$MAIN" --acl acl' },
  )
  const pipe = join(command.directory, 'acl')
  execFileSync('mkfifo', [pipe])
  return {
    command,
    /** Resolves once the server has opened it. */
    writes: async (acl: string, before: () => void = () => {}): Promise<void> => {
      await using file = await open(pipe, 'w')
      before()
      await file.write(acl)
    },
  }
}

describe('a signal that comes before the server is up', { concurrency: 4 }, () => {
  for (const signal of ['SIGHUP', 'SIGUSR2'] as const)
    test(`${signal} ends nothing: the files are read again once it is`, async () => {
      const { command, writes } = await startingServer()
      await using _ = command
      await writes('alice: {password: a}\n', () => command.child.kill(signal))
      await command.printed(/listening on/)
      await writes('alice: {password: a}\nbob: {password: b}\n')
      await command.printed(/read acl again: 2 users/)
      assert.match(command.stdout, /listening on/)
    })

  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    test(`${signal} ends it, though it hangs`, async () => {
      const { command, writes } = await startingServer()
      await using _ = command
      await writes('', () => command.child.kill(signal))
      assert.equal(await command.exit(), signal)
      assert.doesNotMatch(command.stdout, /listening on/)
    })
})

/** A server on a terminal of its own, which ends with `script`. */
function onTerminal(): Command {
  const files = { 'pubsub.yaml': CONFIG, 'pubsub_acl.yaml': 'alice: {password: a}\n' }
  return new Command(
    files,
    { shell: `exec script -qefc '"$NODE" "$MAIN"' typescript` },
    { input: 'open' },
  )
}

async function pidOf(command: Command): Promise<number> {
  return Number((await command.printed(/pid (\d+), at most/))[1])
}

test('SIGHUP on a terminal that is there reads the files again, and the log there is text', async () => {
  await using command = onTerminal()
  const pid = await pidOf(command)
  await command.printed(/Z info listening on/)
  process.kill(pid, 'SIGHUP')
  await command.printed(/Z info read pubsub_acl\.yaml again: 1 users/)
  process.kill(pid, 'SIGTERM')
  assert.equal(await command.exit(), 0)
})

test('SIGHUP of a terminal that has gone stops the server', async () => {
  await using command = onTerminal()
  const pid = await pidOf(command)
  await command.printed(/listening on/)
  command.child.kill('SIGKILL') // of the program that is the terminal
  const lateMs = performance.now() + 120_000
  const isThere = () => {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }
  while (isThere()) {
    assert.ok(performance.now() < lateMs, 'it is still there')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
})
