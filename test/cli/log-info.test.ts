import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { startServer } from '../running-server.ts'
import { exported, exportedLines, Workplace } from './log-command.ts'

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
