import assert from 'node:assert/strict'
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
