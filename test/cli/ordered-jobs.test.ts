import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { OrderedJobs } from '../../src/cli/ordered-jobs.ts'

test('those with one key run one after the other in their order, and never more at once than allowed', async () => {
  const job = fc.record({ key: fc.constantFrom('a', 'b', 'c'), turns: fc.nat(4) })
  await fc.assert(
    fc.asyncProperty(
      fc.array(job, { maxLength: 25, size: 'max' }),
      fc.integer({ min: 1, max: 4 }),
      fc.nat(3),
      async (given, jobsMax, waitingMax) => {
        const jobs = new OrderedJobs(jobsMax, waitingMax)
        const running = new Set<string>()
        const ended: number[] = []
        let begun = 0
        for (const [n, { key, turns }] of given.entries()) {
          await jobs.add(key, async () => {
            begun++
            assert.ok(!running.has(key), 'two with one key')
            running.add(key)
            assert.ok(running.size <= jobsMax)
            // One whose work is done counts until its end is seen, a tick later.
            assert.ok(jobs.running >= running.size && jobs.running <= jobsMax)
            for (let left = turns; left > 0; left--) await turn()
            running.delete(key)
            ended.push(n)
          })
          assert.ok(n + 1 - begun <= waitingMax, 'too many wait')
        }
        await jobs.idle()
        assert.equal(jobs.running, 0)
        assert.equal(ended.length, given.length)
        for (const key of ['a', 'b', 'c']) {
          const order = ended.filter((n) => given[n]!.key === key)
          assert.deepEqual(
            order,
            order.toSorted((a, b) => a - b),
          )
        }
      },
    ),
    { numRuns: 50 },
  )
})

test('once closed, what runs goes on, what waits is dropped, and nothing is taken', async () => {
  const jobs = new OrderedJobs(1, 1)
  const first = Promise.withResolvers<void>()
  const ran: string[] = []
  const run = (name: string, until?: Promise<void>) => async () => {
    await until
    ran.push(name)
  }
  await jobs.add('a', run('first', first.promise))
  await jobs.add('a', run('second'))
  const blocked = jobs.add('a', run('third'))
  jobs.close()
  await blocked
  await jobs.add('b', run('fourth'))
  first.resolve()
  await jobs.idle()
  assert.deepEqual(ran, ['first'])
})

test('who waits for a change hears of each end', async () => {
  const jobs = new OrderedJobs(2, 5)
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  for (const [i, { promise }] of gates.entries()) await jobs.add(`${i}`, () => promise)
  for (const [i, { resolve }] of gates.entries()) {
    const changed = jobs.changed()
    resolve()
    await changed
    assert.equal(jobs.running, 1 - i)
  }
})
