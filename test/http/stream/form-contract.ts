import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { TemporaryFiles } from '../../config/temporary-files.ts'
import type { RunningServer } from '../../running-server.ts'
import { FormReader, FORMS } from './form-reader.ts'
import { basic, publish } from '../requests.ts'
import { sharedOver, type Way } from '../ways.ts'

const USERS = {
  alice: { password: 'wonderland', acl: { fruit: ['fruits'] } },
  renée: { password: 'été', acl: { fruit: ['fruits'] } },
}
const ALICE = basic('alice', 'wonderland')
/** As many clients in Python send it. */
const RENEE = basic('renée', 'été', 'latin1')

/** What every form promises of a stream: live, replay, resume, farewell, choice, end, a slow reader. One way to the server, all forms. */
export function formContract(way: Way): void {
  describe(way.name, { skip: way.missing }, () => {
    const server = sharedOver(way, { server: { backlog: { size: 10_000 } } }, USERS)

    for (const form of FORMS)
      describe(form.name, () => {
        test('live: it is opened at a cursor, then events come as they are published', async () => {
          const topic = freshTopic()
          await using reader = await FormReader.open(server(), form, `/${topic}`)
          const opened = await reader.next()
          assert.equal(opened.type, 'opened')
          const odd = 'é\u2028\u2029\u0085'
          const text = `${odd}\r\n\0`
          await publish(server(), `/${topic}/${encodeURIComponent(odd)}`, { n: 1, text })
          const { payload, cursor } = await reader.event()
          assert.deepEqual([payload['n'], payload['text']], [1, text])
          // Whoever comes back with the cursor of the opening gets what came after it.
          await using again = await FormReader.open(
            server(),
            form,
            `/${topic}?cursor=${opened.cursor}`,
          )
          assert.equal((await again.event()).cursor, cursor)
        })

        test('replay: everything since a time, then a keep-alive whose cursor is behind it', async () => {
          const topic = freshTopic()
          await publishNumbers(server(), `/${topic}`, 1, 2, 3)
          await using reader = await FormReader.open(server(), form, `/${topic}?since=all`)
          assert.deepEqual(await numbersOf(reader, 3), [1, 2, 3])
          const alive = await reader.nextControl()
          assert.equal(alive.type, 'keep-alive')
          await publishNumbers(server(), `/${topic}`, 4)
          await using again = await FormReader.open(
            server(),
            form,
            `/${topic}?cursor=${alive.cursor}`,
          )
          assert.deepEqual(await numbersOf(again, 1), [4])
        })

        test('resume: behind each event, whichever way its cursor is given', async () => {
          const topic = freshTopic()
          await publishNumbers(server(), `/${topic}`, 1, 2)
          await using reader = await FormReader.open(server(), form, `/${topic}?since=1h`)
          const { cursor } = await reader.event()
          for (const [query, header] of [
            [`?cursor=${cursor}`, []],
            ['', [`Last-Event-ID: ${cursor}`]],
            ['', [`X-Fetch-Since-Cursor: ${cursor}`]],
            ['?cursor=00000000-0000-4000-8000-000000000000', [`Last-Event-ID: ${cursor}`]],
          ] as const) {
            await using back = await FormReader.open(server(), form, `/${topic}${query}`, ...header)
            assert.deepEqual(await numbersOf(back, 1), [2])
          }
        })

        test('resume: across a restart, with the cursor of the farewell', async () => {
          using files = new TemporaryFiles()
          const backlog = { size: 100, storage: join(files.directory, 'events') }
          await using durable = await way.start({ server: { backlog } })
          await using reader = await FormReader.open(durable, form, '/a')
          await publishNumbers(durable, '/a', 1)
          await reader.event()
          const [closing] = await Promise.all([
            reader.nextControl('closing'),
            durable.stop('SIGTERM'),
          ])
          assert.equal(closing.reason, 'shutdown')
          await using restarted = await way.start({ server: { backlog } })
          await publishNumbers(restarted, '/a', 2)
          await using back = await FormReader.open(restarted, form, `/a?cursor=${closing.cursor}`)
          assert.deepEqual(await numbersOf(back, 1), [2])
        })

        test('a cursor that leads nowhere is told, and by default the oldest kept event comes next', async () => {
          const topic = freshTopic()
          await publishNumbers(server(), `/${topic}`, 1)
          const nowhere = '00000000-0000-4000-8000-000000000000'
          await using reader = await FormReader.open(server(), form, `/${topic}?cursor=${nowhere}`)
          assert.equal((await reader.nextControl('gap')).reason, 'foreign')
          assert.deepEqual(await numbersOf(reader, 1), [1])
          await using live = await FormReader.open(
            server(),
            form,
            `/${topic}?cursor=${nowhere}&on_gap=live`,
          )
          await live.nextControl('gap')
          await publishNumbers(server(), `/${topic}`, 2)
          assert.deepEqual(await numbersOf(live, 1), [2])
        })

        test('private events are seen by those who may, until they may no longer', async () => {
          await using own = await way.start({}, USERS)
          await using alice = await FormReader.open(own, form, '/private/fruits', ALICE)
          await using renee = await FormReader.open(own, form, '/private/fruits', RENEE)
          await using nobody = await FormReader.open(own, form, '/fruits')
          await publishNumbers(own, '/private/fruits', 1)
          await publishNumbers(own, '/fruits', 2)
          assert.deepEqual(await numbersOf(alice, 1), [1])
          assert.deepEqual(await numbersOf(renee, 1), [1])
          assert.deepEqual(await numbersOf(nobody, 1), [2])
          writeFileSync(join(own.directory, 'pubsub_acl.yaml'), '{}')
          own.process.kill('SIGHUP')
          assert.equal((await alice.nextControl('closing')).reason, 'revoked')
        })

        test('where and without choose the same events live and in replay', async () => {
          const topic = freshTopic()
          const path = `/${topic}?without=bad&where=${encodeURIComponent('n > 1 && n != 4')}`
          await using live = await FormReader.open(server(), form, path)
          await live.next()
          await publishNumbers(server(), `/${topic}`, 1, 2)
          await publishNumbers(server(), `/${topic}/bad`, 3)
          await publishNumbers(server(), `/${topic}`, 4, 5)
          await using replayed = await FormReader.open(server(), form, `${path}&since=all`)
          assert.deepEqual(await numbersOf(live, 2), [2, 5])
          assert.deepEqual(await numbersOf(replayed, 2), [2, 5])
        })

        test('count ends the answer as whole after so many events, replayed or live', async () => {
          const topic = freshTopic()
          await publishNumbers(server(), `/${topic}`, 1, 2)
          await using replayed = await FormReader.open(
            server(),
            form,
            `/${topic}?since=all&count=1`,
          )
          assert.deepEqual(await numbersOf(replayed, 1), [1])
          await replayed.end()
          await using both = await FormReader.open(server(), form, `/${topic}?since=all&count=4`)
          await publishNumbers(server(), `/${topic}`, 3, 4, 5)
          assert.deepEqual(await numbersOf(both, 4), [1, 2, 3, 4])
          await both.end()
        })

        test('a slow reader is served from the backlog once it reads again', async () => {
          await using own = await way.start({
            server: { backlog: { size: 10_000 }, max_payload_size: 1_000_000 },
            limits: { queue_bytes: '64KiB' },
          })
          await using slow = await FormReader.open(own, form, '/a')
          await slow.next()
          slow.pause()
          const text = 'x'.repeat(500_000)
          for (let n = 1; n <= 40; n++) await publish(own, '/a', { n, text })
          slow.resume()
          assert.deepEqual(
            await numbersOf(slow, 40),
            Array.from({ length: 40 }, (_, i) => i + 1),
          )
        })
      })
  })
}

/** A topic that no other test uses. */
let topics = 0
const freshTopic = () => `t${++topics}`

async function publishNumbers(on: RunningServer, path: string, ...numbers: readonly number[]) {
  for (const n of numbers) await publish(on, path, { n })
}

async function numbersOf(reader: FormReader, count: number): Promise<unknown[]> {
  const all = []
  while (all.length < count) all.push((await reader.event()).payload['n'])
  return all
}
