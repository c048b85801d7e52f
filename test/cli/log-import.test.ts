import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startServer } from '../running-server.ts'
import { exported, exportedLines, withoutCursors, Workplace } from './log-command.ts'

test('lines come from a file or from standard input', async () => {
  using place = new Workplace()
  place.write('events.ndjson', exportedLines(0, 3))
  for (const words of [['events.ndjson'], ['-'], []]) {
    const store = `s${words.join('')}`
    const { code, out, err } = await place.run(
      ['import', '--store', store, ...words],
      exportedLines(0, 3),
    )
    assert.deepEqual([code, out, err], [0, '', '3 events imported\n'])
    const back = await place.output('export', '--store', store)
    assert.equal(withoutCursors(back), withoutCursors(exportedLines(0, 3)))
  }
})

test('broken lines are named, and all others imported', async () => {
  using place = new Workplace()
  const lines = [
    exported(0),
    '{"torn": \n',
    '\0\0\0\n',
    '\n',
    exported(1).replace('\n', '\r\n'),
    '{"stillalive": 1588132959.0}\n',
    exported(2).replace('"t"', '7'),
    exported(3).trimEnd(),
  ]
  const { code, err } = await place.run(['import', '--store', 's'], lines.join(''))
  assert.equal(code, 1)
  assert.deepEqual(err.split('\n'), [
    '3 events imported',
    '2 lines skipped, not valid JSON: lines 2, 3',
    '1 line skipped, no event: it has no pubsub_topics: line 6',
    '1 line skipped, its topics are not a list of texts: line 7',
    '',
  ])
  const back = await place.output('export', '--store', 's')
  assert.equal(withoutCursors(back), withoutCursors(exported(0) + exported(1) + exported(3)))
})

test('the same file again brings nothing twice, a longer one only what is newer', async () => {
  using place = new Workplace()
  await place.store('s', exportedLines(0, 10))
  const again = await place.run(['import', '--store', 's'], exportedLines(0, 12))
  assert.deepEqual(again, {
    code: 0,
    out: '',
    err: '2 events imported\n10 events left out: the store has them, word for word\n',
  })
  const back = await place.output('export', '--store', 's')
  assert.equal(withoutCursors(back), withoutCursors(exportedLines(0, 12)))
})

test('what the settings would drop at once is told before, and where that is all, nothing is imported', async () => {
  using place = new Workplace()
  place.write('events.ndjson', exportedLines(0, 5))
  const settings = (backlog: string) =>
    place.write(
      'p.yaml',
      `server: {backlog: {storage: events, ${backlog}}}\nclients: {payloaders: []}\n`,
    )
  for (const [backlog, told] of [
    ['size: 0', /^nothing is imported: by server\.backlog\.size/],
    ['size: 100, max_age: 1h', /^nothing is imported: by server\.backlog\.max_age/],
  ] as const) {
    settings(backlog)
    const { code, err } = await place.run(['import', '--config', 'p.yaml', 'events.ndjson'])
    assert.equal(code, 1)
    assert.match(err, told)
  }
  settings('size: 2')
  const { code, err } = await place.run(['import', '--config', 'p.yaml', 'events.ndjson'])
  assert.equal(code, 0)
  assert.match(err, /^of 5 events the store keeps the newest 2 .*\n5 events imported\n$/)
})

test('the storage file of a PyPubSub is taken with --pypubsub', async () => {
  using place = new Workplace()
  place.write(
    'backlog.json',
    '{"timestamp": 1588132959.5, "topics": ["a"], "json": {"n": 1, "pubsub_path": "/a"}, "private": false}\n' +
      '{"timestamp": 1588132960.5, "topics": ["a"], "json": {"n": 2, "pubsub_path": "/private/a"}, "private": true}\n',
  )
  const wrong = await place.run(['import', '--store', 'wrong', 'backlog.json'])
  assert.equal(wrong.code, 1)
  assert.match(wrong.err, /2 lines skipped, no event: it has no pubsub_topics/)
  const { code, err } = await place.run(['import', '--store', 's', '--pypubsub', 'backlog.json'])
  assert.deepEqual([code, err], [0, '2 events imported\n'])
  const back = await place.output('export', '--store', 's', '--private')
  assert.match(back, /^\{"n": 1, .*"pubsub_path": "\/a", "pubsub_cursor": "[^"]{36}"\}\n/)
  assert.match(back, /\n\{"n": 2, .*"pubsub_path": "\/private\/a", .*"pubsub_private": true\}\n$/)
})

test('a store that a server has open is refused, with the process to stop', async () => {
  using place = new Workplace()
  await using server = await startServer({
    config: `
server: {bind: 127.0.0.1, port: 0, backlog: {size: 1000, storage: events}}
clients: {payloaders: [127.0.0.1]}
`,
  })
  const store = `${server.directory}/events.pubsubd`
  const { code, out, err } = await place.run(['import', '--store', store], exportedLines(0, 3))
  assert.deepEqual([code, out], [1, ''])
  assert.match(err, new RegExp(`is in use by process ${server.process.pid}; stop that first`))
  assert.equal((await fetch(`${server.url}/a`, { method: 'PUT', body: '{}' })).status, 202)
  const back = await place.output('export', '--store', store)
  assert.match(back, /^\{"pubsub_timestamp": [^\n]+\n$/)
})
