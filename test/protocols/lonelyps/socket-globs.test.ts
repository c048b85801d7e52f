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
  const globs = new SocketGlobs({ globsMax: 10, globsPerAddressMax: 10 })
  const predicate = globs.acquire('fruits/*', 'a')
  assert.equal(globs.acquire('fruits/*', 'a'), predicate)
  assert.equal(predicate.matches(published('/fruits/apples', 1)), true)
  assert.equal(predicate.matches(published('/nuts', 2)), false)
  // Bytes that are no text, which no glob is about.
  assert.equal(globs.acquire('*', 'a').matches(published('/-/lonelyps/topic/_w', 3)), false)
  assert.equal(globs.release('fruits/*', 'a'), predicate)
})

test('different globs are bounded, and one that nobody has any more leaves its place', () => {
  const globs = new SocketGlobs({ globsMax: 2, globsPerAddressMax: 2 })
  for (const glob of ['a*', 'b*', 'a*']) globs.acquire(glob, 'a')
  assert.throws(() => globs.acquire('c*', 'a'), /2 different globs/)
  globs.release('a*', 'a')
  assert.throws(() => globs.acquire('c*', 'a'), /2 different globs/)
  globs.release('a*', 'a')
  globs.acquire('c*', 'a')
})

test('the WebSockets of one address leave globs to those of others, and may all have the same', () => {
  const globs = new SocketGlobs({ globsMax: 8, globsPerAddressMax: 0 })
  for (let n = 0; n < 4; n++) globs.acquire(`${n}*`, 'a')
  assert.throws(() => globs.acquire('4*', 'a'), {
    code: 'SHARE_EXCEEDED',
    message:
      /you have 4 different globs; 1 more .*lonelyps\.globs_per_address, .*lonelyps\.globs .*: 4 /,
  })
  globs.acquire('3*', 'a')
  for (const glob of ['3*', '5*']) globs.acquire(glob, 'b')
  globs.release('3*', 'a')
  assert.throws(() => globs.acquire('4*', 'a'), { code: 'SHARE_EXCEEDED' })
  for (const glob of ['3*', '2*']) globs.release(glob, 'a')
  globs.acquire('4*', 'a')
})

test('a glob that is too long takes no place', () => {
  const globs = new SocketGlobs({ globsMax: 1, globsPerAddressMax: 1 })
  assert.throws(() => globs.acquire('*'.repeat(1_000), 'a'), /1000 characters/)
  globs.acquire('a*', 'a')
})
