import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { endInTime } from '../../src/cli/end-in-time.ts'

test('a process whose stop takes less than the deadline exits with 0 then', async (t) => {
  const { ends, told, stopped, ending } = begin(t)
  t.mock.timers.tick(2_899)
  stopped.resolve()
  await ending
  t.mock.timers.tick(10_000)
  assert.deepEqual(ends, ['exit 0'])
  assert.deepEqual(told, [])
})

test('a process whose stop hangs is killed at the deadline, which the log tells first', (t) => {
  const { ends, told } = begin(t)
  t.mock.timers.tick(2_899)
  assert.deepEqual(ends, [])
  t.mock.timers.tick(1)
  assert.deepEqual(ends, ['kill'])
  assert.match(told.join(), /^warn not stopped within 2.9 s, .*SIGKILL/)
})

test('a process whose stop fails says why and exits with 1', async (t) => {
  const { ends, told, stopped, ending } = begin(t)
  stopped.reject(new Error('a bug'))
  await ending
  assert.deepEqual(ends, ['exit 1'])
  assert.match(told.join(), /^error .*a bug/)
})

function begin(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const ends: string[] = []
  const told: string[] = []
  const stopped = Promise.withResolvers<void>()
  const ending = endInTime({
    stop: () => stopped.promise,
    deadlineMs: 2_900,
    logger: (level, message) => told.push(`${level} ${message}`),
    exit: (code) => ends.push(`exit ${code}`),
    kill: () => ends.push('kill'),
  })
  return { ends, told, stopped, ending }
}
