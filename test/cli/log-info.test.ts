import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { startServer } from '../running-server.ts'
import { DatabaseSync } from 'node:sqlite'
import { COLUMNS, columnsOf, PLACEHOLDERS, recordOf } from '../../src/log/sqlite/record.ts'
import { exported, exportedLines, FIRST_SECONDS, Workplace } from './log-command.ts'

const CONFIG = `
server: {bind: 127.0.0.1, port: 0, backlog: {size: 1000, storage: events}}
clients: {payloaders: [127.0.0.1]}
`

test('it tells how many events there are, of which time and how large', async () => {
  using place = new Workplace()
  await place.store('s', exportedLines(0, 100))
  const info = await place.output('info', '--store', 's')
  assert.match(info, /^store {4}s$/m)
  assert.match(info, /^server {3}none has it open$/m)
  assert.match(info, /^events {3}100$/m)
  assert.match(info, /^oldest {3}2023-11-14T22:13:20\.500Z$/m)
  assert.match(info, /^newest {3}2023-11-14T22:14:59\.500Z$/m)
  assert.match(info, /^size {5}[1-9]\d{3} bytes$/m)
  assert.match(info, /^on disk {2}[1-9]\d{4} bytes$/m)
  assert.match(info, /^starts {3}1$/m)
  assert.match(info, /^damage {3}none seen/m)
})

function at(n: number): number {
  return (FIRST_SECONDS + n) * 1_000
}

test('it tells of leaps of the clock, and how many events they have touched', async () => {
  using place = new Workplace()
  await place.store('s', exportedLines(0, 100))
  assert.match(await place.output('info', '--store', 's'), /^clock {4}as the machine's$/m)
  const leaps = [
    { atMs: at(10), byMs: 3_600_000, endMs: at(20), followedByMs: 3_600_000 },
    { atMs: at(30), byMs: 31_536_000_000, endMs: at(40), followedByMs: 0 },
    { atMs: at(50), byMs: -3_600_000, endMs: at(52), followedByMs: 0 },
  ]
  place.change(
    's',
    `UPDATE meta SET value = json_set(value, '$.leaps', json('${JSON.stringify(leaps)}')) WHERE name = 'clock'`,
  )
  const lines = (await place.output('info', '--store', 's')).split('\n')
  assert.deepEqual(
    lines.filter((line) => line.startsWith('leap')),
    [
      "leap     2023-11-14T22:13:30.000Z the machine's clock went 60 min forward, and was followed at " +
        '2023-11-14T22:13:40.000Z: the times of 10 events are so much too early',
      "leap     2023-11-14T22:13:50.000Z the machine's clock went 365 days forward until " +
        '2023-11-14T22:14:00.000Z, and was not followed: no event has a wrong time',
      "leap     2023-11-14T22:14:10.000Z the machine's clock was 60 min behind the log until " +
        '2023-11-14T22:14:12.000Z: the times of 2 events are up to so much too late',
    ],
  )
})

test('a store with times of the future says so', async () => {
  using place = new Workplace()
  await place.store('s', exportedLines(0, 1))
  const ms = Date.now() + 2 * 86_400_000
  using database = new DatabaseSync(place.path('s', 'events.db'))
  const rows = database.prepare(`SELECT ${COLUMNS} FROM events`)
  rows.setReturnArrays(true)
  const columns = columnsOf({ ...recordOf(rows.get())!, publishedAtMs: ms })
  database.prepare(`REPLACE INTO events (${COLUMNS}) VALUES ${PLACEHOLDERS}`).run(...columns)
  const info = await place.output('info', '--store', 's')
  assert.match(info, /^clock {4}the newest event is 48 h in the future/m)
  assert.match(await place.output('export', '--store', 's', '--until', '0s'), /"n": 0/)
})

test('of an empty store too', async () => {
  using place = new Workplace()
  await place.store('s', '')
  const info = await place.output('info', '--store', 's')
  assert.match(info, /^events {3}0$/m)
  assert.match(info, /^oldest {3}none$/m)
  assert.match(info, /^newest {3}none$/m)
  assert.match(info, /^size {5}0 bytes$/m)
})

test('it knows the server that has the store open, and that one that was killed has not', async () => {
  using place = new Workplace()
  await using server = await startServer({ config: CONFIG })
  assert.equal((await fetch(`${server.url}/a`, { method: 'PUT', body: '{}' })).status, 202)
  const store = `${server.directory}/events.pubsubd`
  const info = await place.output(
    'info',
    '--config',
    `${server.directory}/pubsub.yaml`,
    '--store',
    store,
  )
  assert.match(info, new RegExp(`^server   process ${server.process.pid} has it open$`, 'm'))
  assert.match(info, /^events {3}1$/m)
  await server.stop('SIGKILL')
  assert.match(await place.output('info', '--store', store), /^server {3}none has it open$/m)
  // Somebody else may have got the number of the one that was killed.
  writeFileSync(`${store}/owner.pid`, `${process.pid}\n`)
  assert.match(await place.output('info', '--store', store), /^server {3}none has it open$/m)
})

test('missing events are told with exit code 1', async () => {
  using place = new Workplace()
  await place.store('s', exported(0) + exported(1) + exported(2) + exported(3))
  place.change('s', 'DELETE FROM events WHERE seq IN (2, 3)')
  const { code, out } = await place.run(['info', '--store', 's'])
  assert.equal(code, 1)
  assert.match(out, /^events {3}2, and 2 are missing between them$/m)
  assert.match(out, /^damage {3}yes; pubsubd log verify says where$/m)
})
