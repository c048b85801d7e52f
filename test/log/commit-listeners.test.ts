import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Position } from '../../src/hub/event.ts'
import { CommitListeners } from '../../src/log/commit-listeners.ts'

test('each listener is told of each commit until it stops, whatever another one throws', () => {
  const bugs: unknown[] = []
  const listeners = new CommitListeners((doing, error) => bugs.push(`${doing}: ${String(error)}`))
  const told: string[] = []
  const first = listeners.add((_events, head) => told.push(`first ${head}`))
  listeners.add(() => {
    throw new Error('planted')
  })
  listeners.add((_events, head) => told.push(`third ${head}`))
  listeners.tell([], 1 as Position)
  first[Symbol.dispose]()
  listeners.tell([], 2 as Position)
  assert.deepEqual(told, ['first 1', 'third 1', 'third 2'])
  assert.deepEqual(bugs, Array(2).fill('telling of a commit: Error: planted'))
})
