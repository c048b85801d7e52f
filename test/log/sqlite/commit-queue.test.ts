import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LogUnavailableError } from '../../../src/hub/errors.ts'
import { CommitQueue, type Waiting, type Work } from '../../../src/log/sqlite/commit-queue.ts'

/** What `commit-queue.ts` says of itself. */
const COMMIT_BYTES_MAX = 2_097_152
const WAITING_BYTES_MAX = 67_108_864

test('work is taken in the order it came, as much at a time as a commit holds, and none is left', () => {
  const operation = fc.oneof(fc.nat(COMMIT_BYTES_MAX * 2), fc.constant('take' as const))
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60, size: 'max' }), (operations) => {
      const queue = new CommitQueue()
      let pushed = 0
      const taken: Waiting[] = []
      for (const each of operations) {
        if (each === 'take') taken.push(...takeChecked(queue))
        else void queue.push(work(each, String(pushed++)))
      }
      while (!queue.isEmpty) taken.push(...takeChecked(queue))
      assert.deepEqual(
        taken.map(({ publications }) => publications[0]!.path),
        Array.from({ length: pushed }, (_, n) => String(n)),
      )
      assert.deepEqual(queue.take(), [])
    }),
  )
})

/** No more than one commit holds, or one that is larger, and at least one. */
function takeChecked(queue: CommitQueue): readonly Waiting[] {
  const wasEmpty = queue.isEmpty
  const taken = queue.take()
  assert.equal(taken.length === 0, wasEmpty)
  const bytes = taken.reduce((sum, each) => sum + each.bytes, 0)
  assert.ok(taken.length < 2 || bytes <= COMMIT_BYTES_MAX, `${taken.length} with ${bytes} bytes`)
  return taken
}

test('beyond the limit publishers are told to come back, until some of what waits is taken', async () => {
  const queue = new CommitQueue()
  const quarter = work(WAITING_BYTES_MAX / 4 - 1_000)
  for (let n = 0; n < 4; n++) void queue.push(quarter)
  await assert.rejects(queue.push(quarter), {
    code: 'LOG_UNAVAILABLE',
    message: `more than ${WAITING_BYTES_MAX} bytes wait to be stored`,
  })
  queue.take()
  void queue.push(quarter)
  await assert.rejects(queue.push(quarter), { code: 'LOG_UNAVAILABLE' })
})

test('work without anything to store is taken however much waits, behind it', async () => {
  const queue = new CommitQueue()
  void queue.push(work(WAITING_BYTES_MAX + 1))
  let isRefused = false
  queue.push({ publications: [], changes: [] }).catch(() => (isRefused = true))
  await Promise.resolve()
  assert.equal(isRefused, false)
  queue.take()
  assert.equal(queue.take().length, 1)
})

test('what alone is larger than the limit is taken where nothing waits', () => {
  const queue = new CommitQueue()
  void queue.push(work(WAITING_BYTES_MAX + 1))
  assert.equal(queue.take().length, 1)
})

test('state counts as much as events do', async () => {
  const queue = new CommitQueue()
  const value = new Uint8Array(WAITING_BYTES_MAX / 2)
  const state: Work = { publications: [], changes: [{ space: 's', key: 'k', value }] }
  void queue.push(state)
  await assert.rejects(queue.push(state), { code: 'LOG_UNAVAILABLE' })
})

test('when nothing can be stored, all who wait are told why, and there is room again', async () => {
  const queue = new CommitQueue()
  const half = work(WAITING_BYTES_MAX / 2 - 1_000)
  const waiting = Promise.allSettled([queue.push(half), queue.push(half)])
  const error = new LogUnavailableError('the disk is full')
  queue.rejectAll(error)
  assert.deepEqual(await waiting, [
    { status: 'rejected', reason: error },
    { status: 'rejected', reason: error },
  ])
  assert.ok(queue.isEmpty)
  void queue.push(half)
  void queue.push(half)
  assert.equal(queue.take().length, 1)
})

const texts = new Map<number, string>()

function work(bytes: number, path = '/'): Work {
  let text = texts.get(bytes)
  if (text === undefined) texts.set(bytes, (text = 'x'.repeat(bytes)))
  const payload = { type: 'json-object', text } as const
  return { publications: [{ topics: [], isPrivate: false, path, payload }], changes: [] }
}
