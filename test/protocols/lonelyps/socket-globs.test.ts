import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Cursor, Position, PublishedEvent } from '../../../src/hub/event.ts'
import { SocketGlobs } from '../../../src/protocols/lonelyps/socket-globs.ts'
import { publication } from '../../contracts/event-log.ts'

function published(path: string, position: number): PublishedEvent {
  const placed = { position: position as Position, cursor: `${position}` as Cursor }
  return { ...publication(path), ...placed, publishedAtMs: position }
}

test('whoever has the same glob has the same predicate, and it matches topics', () => {
  const globs = new SocketGlobs(10)
  const predicate = globs.acquire('fruits/*')
  assert.equal(globs.acquire('fruits/*'), predicate)
  assert.equal(predicate.matches(published('/fruits/apples', 1)), true)
  assert.equal(predicate.matches(published('/nuts', 2)), false)
  // Bytes that are no text, which no glob is about.
  assert.equal(globs.acquire('*').matches(published('/-/lonelyps/topic/_w', 3)), false)
  assert.equal(globs.release('fruits/*'), predicate)
})

test('different globs are bounded, and one that nobody has any more leaves its place', () => {
  const globs = new SocketGlobs(2)
  for (const glob of ['a*', 'b*', 'a*']) globs.acquire(glob)
  assert.throws(() => globs.acquire('c*'), /2 different globs/)
  globs.release('a*')
  assert.throws(() => globs.acquire('c*'), /2 different globs/)
  globs.release('a*')
  globs.acquire('c*')
})

test('a glob that is too long takes no place', () => {
  const globs = new SocketGlobs(1)
  assert.throws(() => globs.acquire('*'.repeat(1_000)), /1000 characters/)
  globs.acquire('a*')
})
