import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { throwLater } from '../../src/hub/bug.ts'

test('what nobody is told of is thrown, but not in what was being done', async () => {
  const bug = new Error('a bug')
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  try {
    const thrown = once(process, 'uncaughtException')
    throwLater('testing', bug)
    assert.equal((await thrown)[0], bug)
  } finally {
    for (const listener of others) process.on('uncaughtException', listener)
  }
})
