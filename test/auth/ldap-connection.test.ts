import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { DEADLINE_MS } from '../deadline.ts'
import { LdapServer } from '../../src/auth/ldap-connection.ts'
import { missing } from '../programs.ts'
import { startSlapd } from './slapd.ts'

test(
  'an idle connection is closed after its time, and not while it is used',
  { skip: missing('slapd') },
  async () => {
    await using slapd = await startSlapd()
    const { uri, ldapsUri, caPem: ca } = slapd
    for (const options of [
      { uri, startTls: false, ca: null },
      { uri, startTls: true, ca },
      { uri: ldapsUri, startTls: false, ca },
    ]) {
      const signal = AbortSignal.timeout(DEADLINE_MS)
      const connection = await new LdapServer(options).connect(signal)
      connection.closeAfter(50)
      await connection.run(() => setTimeout(200), signal)
      assert.equal(connection.isLost, false)
      connection.closeAfter(50)
      while (!connection.isLost) {
        signal.throwIfAborted()
        await setTimeout(10)
      }
      await assert.rejects(
        connection.run((client) => client.bind('', ''), signal),
        'a lost connection does not come back',
      )
    }
  },
)

test('work that the end of its connection cuts off is told why it ended, in the words of who ended it', async () => {
  const deadline = new AbortController()
  const ends: readonly [end: (socket: Socket) => void, message: RegExp][] = [
    [(socket) => socket.end(), /^the directory closed the connection$/],
    [(socket) => socket.resetAndDestroy(), /^read ECONNRESET$/],
    [() => deadline.abort(new Error('no answer in time')), /^no answer in time$/],
  ]
  for (const [end, message] of ends) {
    await using server = createServer((socket) => {
      socket.on('error', () => {}).once('data', () => end(socket))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    assert.ok(typeof address === 'object' && address !== null)
    const options = { uri: `ldap://127.0.0.1:${address.port}`, startTls: false, ca: null }
    const connection = await new LdapServer(options).connect(deadline.signal)
    const asking = connection.run((client) => client.bind('', ''), deadline.signal)
    await assert.rejects(
      asking.finally(() => connection.close()),
      { message },
    )
  }
})
