import assert from 'node:assert/strict'
import { ownSlapdTest } from '../../auth/shared-slapd.ts'
import { BASE_DN, USER_DN } from '../../auth/slapd.ts'
import { TemporaryFiles } from '../../config/temporary-files.ts'
import { startInProcess } from '../../in-process-server.ts'
import { Client, config, sent } from './client.ts'
import { write } from './wire.ts'

const HELLO = Buffer.concat([write.subscription('a', 'b'), write.publication('a', 'b', 'hello')])
const UNSLOWED = 'limits: {login_delay: 0}\n'

ownSlapdTest(
  'whoever can bind to the directory is that user; nobody else is, whatever is in the name',
  async (slapd) => {
    using files = new TemporaryFiles()
    const ca = files.write('ca.pem', slapd.caPem)
    const settings = { uri: slapd.ldapsUri, user_dn: USER_DN, ca }
    await using server = await startInProcess({
      config: config(`, authentication: ldap, ldap: ${JSON.stringify(settings)}`, UNSLOWED),
    })
    using client = new Client(server)
    client.socket.write(Buffer.concat([write.text('Username=alice;Password=alice-secret'), HELLO]))
    await client.expects(sent('alice', '127.0.0.1', 'a', 'b', 'hello'))
    const dn = `uid=alice,ou=people,${BASE_DN}`
    for (const [name, password] of [
      ['alice', 'bob-secret'],
      ['alice', ''],
      ['', 'alice-secret'],
      ['nobody', 'alice-secret'],
      ['alice,ou=people', 'alice-secret'],
      ['*', 'alice-secret'],
      [dn, 'alice-secret'],
    ] as const) {
      using refused = new Client(server)
      refused.socket.write(
        Buffer.concat([write.text(`Username=${name};Password=${password}`), HELLO]),
      )
      await refused.ends()
      assert.equal(refused.received.length, 0, name)
    }
  },
)

ownSlapdTest(
  'without a pattern the name is what is bound as, as with the reference',
  async (slapd) => {
    await using server = await startInProcess({
      config: config(`, authentication: ldap, ldap: {uri: "${slapd.uri}"}`, UNSLOWED),
    })
    const dn = `uid=alice,ou=people,${BASE_DN}`
    using client = new Client(server)
    client.socket.write(Buffer.concat([write.text(`Username=${dn};Password=alice-secret`), HELLO]))
    await client.expects(sent(dn, '127.0.0.1', 'a', 'b', 'hello'))
    for (const name of [' ', 'alice', `uid=bob,ou=people,${BASE_DN}`]) {
      using refused = new Client(server)
      refused.socket.write(
        Buffer.concat([write.text(`Username=${name};Password=alice-secret`), HELLO]),
      )
      await refused.ends()
      assert.equal(refused.received.length, 0, name)
    }
  },
)

ownSlapdTest('while the directory is away nobody is let in, and it is told', async (slapd) => {
  await using server = await startInProcess({
    config: config(`, authentication: ldap, ldap: {uri: "${slapd.uri}"}`, UNSLOWED),
  })
  await slapd.stop()
  using client = new Client(server)
  client.socket.write(write.text(`Username=uid=alice,ou=people,${BASE_DN};Password=alice-secret`))
  await client.ends()
  assert.equal(client.received.length, 0)
})
