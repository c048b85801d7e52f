import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newTopic, publish } from '../clients/pubsub-server.ts'
import { missing } from '../programs.ts'
import { Command } from './command.ts'
import { sharedServer } from './pubsub-server.ts'

const server = sharedServer()

test(
  'a checkpoint is flushed before it takes its name, and its name is flushed as well',
  { skip: missing('strace') },
  async () => {
    const topic = newTopic()
    await publish(server(), `/${topic}`, { n: 1 })
    const words = `listen ${server().url}/${topic} --since all --count 1 --checkpoint c`
    const strace = 'strace -f -qq -y -o trace -e trace=fsync,rename,renameat,renameat2'
    await using command = new Command({}, { shell: `exec ${strace} "$PUBSUBD" ${words}` })
    assert.equal(await command.exit(), 0, command.stderr)
    const order = [/fsync\(.*\/c\.tmp>/, /rename.*"c\.tmp".*"c"/, /fsync\(.*pubsubd-test-\w+>/]
    assert.match(
      command.read('trace'),
      new RegExp(order.map(({ source }) => source).join('[^]*?\n.*')),
    )
  },
)
