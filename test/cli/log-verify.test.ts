import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { startServer } from '../running-server.ts'
import { exported, exportedLines, Workplace } from './log-command.ts'

/** Enough events for a topic index, which is written some thousand events late. */
const MANY = exportedLines(0, 30_000)

test('a store without damage passes', async () => {
  using place = new Workplace()
  await place.store('s', MANY)
  assert.equal(
    await place.output('verify', '--store', 's'),
    '30000 events as they were written, no damage found\n',
  )
})

test('each kind of damage is told by number, with exit code 1, and nothing of what is stored', async () => {
  using place = new Workplace()
  await place.store('whole', MANY)
  const changes: [string, RegExp][] = [
    [`UPDATE events SET payload = '{"secret": 1}' WHERE seq = 17`, /^event 17 is damaged$/m],
    [`UPDATE events SET topics = '["secret"]' WHERE seq = 17`, /^event 17 is damaged$/m],
    [`UPDATE events SET is_private = 1 WHERE seq = 17`, /^event 17 is damaged$/m],
    [`UPDATE events SET published_at_ms = 'secret' WHERE seq = 17`, /^event 17 is damaged$/m],
    ['DELETE FROM events WHERE seq = 17', /^event 17 is missing$/m],
    ['DELETE FROM events WHERE seq BETWEEN 17 AND 20', /^events 17 to 20 are missing$/m],
    ['DELETE FROM postings WHERE seq = 12345', /^event 12345 is missing in the topic index$/m],
  ]
  for (const [sql, told] of changes) {
    mkdirSync(place.path('s'), { recursive: true })
    copyFileSync(place.path('whole/events.db'), place.path('s/events.db'))
    place.change('s', sql)
    const { code, out, err } = await place.run(['verify', '--store', 's'])
    assert.deepEqual([code, err], [1, ''], sql)
    assert.match(out, told)
    assert.doesNotMatch(out, /secret/)
    assert.match(out, /^\d+ events as they were written, damaged places: [1-9]\d*$/m)
  }
})

test('flipped bits and lost pages are found, and the rest is still counted', async () => {
  using place = new Workplace()
  await place.store('s', MANY)
  const file = place.path('s/events.db')
  const bytes = readFileSync(file)
  const payload = bytes.indexOf('"n": 777}')
  bytes[payload + 6]! ^= 0x01
  bytes.fill(0, 40 * 4_096, 43 * 4_096)
  writeFileSync(file, bytes)
  const { code, out } = await place.run(['verify', '--store', 's'])
  assert.equal(code, 1)
  assert.match(out, /^event 778 is damaged$/m)
  assert.match(out, /^the database: /m)
  const [, whole] = /^(\d+) events as they were written, damaged places: \d+$/m.exec(out)!
  assert.ok(Number(whole) > 29_000 && Number(whole) < 30_000, whole)
})

test('what is no store any more is told in one line', async () => {
  using place = new Workplace()
  await place.store('s', exportedLines(0, 1_000))
  const file = place.path('s/events.db')
  const whole = readFileSync(file)
  for (const damaged of [
    Buffer.alloc(0),
    Buffer.from('no database at all'.repeat(1_000)),
    whole.subarray(0, 4_096),
  ]) {
    writeFileSync(file, damaged)
    for (const command of ['verify', 'info', 'export']) {
      const { code, err } = await place.run([command, '--store', 's'])
      assert.equal(code, 1, err)
      assert.match(err, new RegExp(`^pubsubd log ${command}: [^\\n]+\\n$`))
    }
  }
})

test('of a file that was cut off, what is left can be exported', async () => {
  using place = new Workplace()
  await place.store('s', MANY)
  truncateSync(place.path('s/events.db'), 200 * 4_096)
  const verified = await place.run(['verify', '--store', 's'])
  assert.equal(verified.code, 1)
  const { code, out } = await place.run(['export', '--store', 's'])
  assert.equal(code, 1)
  assert.ok(out.split('\n').length > 1_000)
  assert.match(out, /^\{"n": 0, /)
})

test('a store of a newer version is left alone', async () => {
  using place = new Workplace()
  await place.store('s', exported(0))
  place.change('s', 'PRAGMA user_version = 99')
  for (const command of ['verify', 'info', 'export']) {
    const { code, err } = await place.run([command, '--store', 's'])
    assert.equal(code, 1)
    assert.match(err, /the store s has version 99, this pubsubd knows \d+: use a newer one/)
  }
})

test('a store that is written to and emptied meanwhile is no damage', async () => {
  using place = new Workplace()
  await using server = await startServer({
    config: `
server: {bind: 127.0.0.1, port: 0, backlog: {size: 5000, storage: events, durability: os}}
clients: {payloaders: [127.0.0.1]}
`,
  })
  const over = new AbortController()
  let published = 0
  const publishers = Array.from({ length: 16 }, async () => {
    while (!over.signal.aborted) {
      const { status } = await fetch(`${server.url}/t`, {
        method: 'PUT',
        body: `{"n": ${published++}}`,
      })
      assert.equal(status, 202)
    }
  })
  try {
    for (let round = 0; round < 5; round++) {
      const out = await place.output('verify', '--store', `${server.directory}/events.pubsubd`)
      assert.match(out, /^\d+ events as they were written, no damage found\n$/)
    }
  } finally {
    over.abort()
    await Promise.all(publishers)
  }
})
