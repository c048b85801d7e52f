import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { renameSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Command } from './command.ts'

const CONFIG = `
server: {bind: 127.0.0.1, port: 0}
clients: {payloaders: [127.0.0.1]}
`

/** A server that reads its users from a pipe, and so waits in the middle of its start until `goOn`. */
async function waitingServer(meanwhile: (command: Command) => void) {
  const command = new Command({ 'pubsub.yaml': CONFIG }, { shell: 'exec "$PUBSUBD" --acl acl' })
  const pipe = join(command.directory, 'acl')
  execFileSync('mkfifo', [pipe])
  const file = await open(pipe, 'w') // once the server has opened it, too
  meanwhile(command)
  return {
    command,
    goOn: async () => {
      await file.write('alice: {password: a}\n')
      await file.close()
    },
  }
}

describe('a signal that comes before the server is up', { concurrency: 4 }, () => {
  for (const signal of ['SIGHUP', 'SIGUSR2'] as const)
    test(`${signal} ends nothing: the files are read again once it is`, async () => {
      const { command, goOn } = await waitingServer(({ child, directory }) => {
        child.kill(signal)
        writeFileSync(join(directory, 'other'), 'alice: {password: a}\nbob: {password: b}\n')
        renameSync(join(directory, 'other'), join(directory, 'acl'))
      })
      await using _ = command
      await goOn()
      await command.printed(/read acl again: 2 users/)
      await command.printed(/listening on/)
    })

  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    test(`${signal} ends it, though it hangs`, async () => {
      const { command, goOn } = await waitingServer(({ child }) => child.kill(signal))
      await using _ = command
      assert.equal(await command.exit(), signal)
      assert.doesNotMatch(command.stdout, /listening on/)
      await goOn().catch(() => {}) // nobody reads it any more
    })
})

/** A server on a terminal of its own, which ends with `script`. */
function onTerminal(): Command {
  const files = { 'pubsub.yaml': CONFIG, 'pubsub_acl.yaml': 'alice: {password: a}\n' }
  return new Command(
    files,
    { shell: `exec script -qefc '"$PUBSUBD"' typescript` },
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
