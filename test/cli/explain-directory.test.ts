import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GROUPS, startSlapd } from '../auth/slapd.ts'
import { missing } from '../programs.ts'
import { explain, withDirectory } from './explain.ts'

test(
  'the directory is asked as the user, whose groups decide',
  { skip: missing('slapd') },
  async () => {
    await using slapd = await startSlapd()
    const as = (name: string, password: string, words: readonly string[]) =>
      explain(['--as', name, ...words], {
        settings: withDirectory(slapd.uri),
        acl: '',
        environment: { PUBSUBD_PASSWORD: password },
      })

    const alice = await as('alice', 'alice-secret', ['listen', '/private/commit'])
    assert.equal(alice.code, 0)
    const rule = `the segment "commits" of ${GROUPS.committers} (pubsub.yaml, line 16, column 9)`
    assert.equal(alice.told[2], `  private events with "commit": all, by ${rule}`)
    const release = await as('alice', 'alice-secret', ['publish', '/release'])
    assert.match(
      release.told[2]!,
      /among the topics of cn=committers\S+ \(pubsub\.yaml, line 17, column 18\)/,
    )

    const bob = await as('bob', 'bob-secret', ['listen', '/private/commit'])
    assert.equal(bob.code, 3)
    assert.match(bob.told[1]!, /asked as that user, finds nothing of clients\.ldap\.acl/)
    const carol = await as('carol', 'wrong', ['listen', '/private/commit'])
    assert.equal(carol.code, 3)
    assert.match(carol.told[1]!, /the directory refuses "carol", so its login is refused/)
    const unproven = await as('alice', '', ['listen', '/private/commit'])
    assert.match(unproven.told[1]!, /asked without a password/)
  },
)
