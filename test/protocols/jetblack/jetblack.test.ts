import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadSettings } from '../../../src/config/load.ts'
import { JETBLACK } from '../../../src/protocols/jetblack/jetblack.ts'
import type { JetblackSettings } from '../../../src/protocols/jetblack/settings.ts'
import { TemporaryFiles } from '../../config/temporary-files.ts'

function settingsOf(section: string): JetblackSettings {
  using files = new TemporaryFiles()
  const text = `server: {}\nclients: {}\nprotocols: {jetblack: {${section}}}\n`
  return loadSettings(files.write('pubsub.yaml', text)).settings.protocols.jetblack!
}

const SURROUNDINGS = { users: ['tom', 'mary'], aclFile: 'acl.yaml', hasDirectory: false }

function warningsOf(section: string, surroundings = SURROUNDINGS): readonly string[] {
  const { errors, warnings } = JETBLACK.check(settingsOf(section), surroundings)
  assert.deepEqual(errors, [])
  return warnings.map(({ path, text }) => `${path.join('.')} ${text}`)
}

test('a check tells of what has no effect: ways to log in, patterns behind others, and names that nobody has', () => {
  assert.deepEqual(warningsOf(''), [])
  assert.deepEqual(warningsOf('ldap: {uri: "ldap://localhost"}'), [
    'ldap has no effect, as authentication is none',
  ])
  assert.deepEqual(
    warningsOf('feeds: {"LSE*": {}, LSE: {}, "LSE.*": {}, other: {}, "*": {}, "?": {}}'),
    [
      'feeds.LSE has no effect, as "LSE*" before it matches the same feeds',
      'feeds.LSE.* has no effect, as "LSE*" before it matches the same feeds',
      'feeds.? has no effect, as "*" before it matches the same feeds',
    ],
  )
  const feeds = 'feeds: {a: {publish: [nobody, tom, sam], authorize: [mary]}}'
  const without = 'and nobody is that one: without authentication everybody is nobody'
  assert.deepEqual(warningsOf(feeds), [
    `feeds.a.publish names "tom", ${without}`,
    `feeds.a.publish names "sam", ${without}`,
    `feeds.a.authorize names "mary", ${without}`,
  ])
  const acl = `authentication: acl, ${feeds}`
  const notThere = 'and nobody is that one: it is not in acl.yaml'
  assert.deepEqual(warningsOf(acl), [
    `feeds.a.publish names "nobody", ${notThere}`,
    `feeds.a.publish names "sam", ${notThere}`,
  ])
  assert.deepEqual(warningsOf(acl, { ...SURROUNDINGS, hasDirectory: true }), [])
})

test('a check tells what the server would not start with', () => {
  const { errors } = JETBLACK.check(settingsOf('authentication: jwt'), SURROUNDINGS)
  assert.equal(errors.length, 1)
})

test('it explains who may do what on a feed, and by which pattern', () => {
  const settings = settingsOf(
    'authentication: acl, feeds: {LSE: {publish: [tom], subscribe: any, authorize: [mary, sam]}}',
  )
  const explained = (name: string | null, verb: 'publish' | 'listen', path: string) =>
    JETBLACK.explain(settings, name, SURROUNDINGS, { verb, path })
      .slice(1)
      .map((each) => `${each.path.join('.')} ${each.text}`)
  assert.deepEqual(explained('tom', 'publish', '/LSE/VOD'), [
    'feeds.LSE "tom" may publish on the feed "LSE", by the pattern "LSE"',
  ])
  assert.deepEqual(explained('mary', 'publish', '/LSE/VOD'), [
    'feeds.LSE "mary" may not publish on the feed "LSE", by the pattern "LSE"',
  ])
  assert.deepEqual(explained(null, 'listen', '/LSE'), [
    'feeds.LSE "nobody" may subscribe to the feed "LSE", by the pattern "LSE"',
    'feeds.LSE.authorize a subscription to it needs the answer of "mary" or "sam", and what is published there is private elsewhere',
  ])
  assert.deepEqual(explained('tom', 'publish', '/other'), [
    'feeds "tom" may publish on the feed "other"',
  ])
  assert.deepEqual(explained('tom', 'publish', '/__admin__/x'), [
    'feeds "tom" may not publish on the feed "__admin__"',
  ])
})

test('without authentication everybody is nobody, whoever asks', () => {
  const settings = settingsOf('feeds: {a: {publish: [tom]}}')
  const [who, what] = JETBLACK.explain(settings, 'tom', SURROUNDINGS, {
    verb: 'publish',
    path: '/a',
  })
  assert.match(who!.text, /everybody is nobody/)
  assert.match(what!.text, /^"nobody" may not publish on the feed/)
})
