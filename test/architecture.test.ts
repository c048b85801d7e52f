import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { architecturePicture, roomImports, writePicture } from './architecture-picture.ts'

/** The whole dependency rule. `server` and `doors` are absent: the composition root may import every room. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  publication: [],
  hub: ['publication'],
  settings: [],
  shares: [],
  config: ['settings', 'auth'], // what an LDAP filter and a DN are
  ui: [],
  log: ['hub', 'publication'],
  auth: ['hub'],
  outgoing: ['auth'], // address ranges are read as those of publishers
  where: ['hub', 'publication'],
  ops: ['hub'],
  sockets: ['hub'],
  consumers: ['hub'],
  websocket: ['hub', 'publication', 'sockets'],
  http: ['hub', 'publication', 'auth', 'where', 'sockets', 'websocket', 'ops'],
  protocols: ['hub', 'publication', 'auth', 'outgoing', 'sockets', 'websocket'],
  'protocols/*': [
    'settings',
    'hub',
    'publication',
    'auth',
    'consumers',
    'outgoing',
    'sockets',
    'websocket',
    'protocols',
  ], // never another protocol
  client: [], // the CLI's own publish and listen over HTTP; shares nothing with the server
  cli: ['settings', 'config', 'doors', 'server', 'log', 'auth', 'client', 'ops'],
}

/** What the composition root consists of. */
const ROOTS: ReadonlySet<string> = new Set(['server', 'doors'])

/** Files that any room may import, as they import nothing but each other. */
const LEAVES: ReadonlySet<string> = new Set([
  'ops/bug-report.ts',
  'ops/current-work.ts',
  'ops/logger.ts',
  'ops/make-directory.ts',
  'ops/node-http.ts',
  'ops/own-place.ts',
  'ops/seldom-report.ts',
  'ops/start-error.ts',
  'ops/turn-budget.ts',
  'settings/measures.ts',
  'shares/fair-queue.ts',
])

/**
 * Files with logic whose behaviour is that of another, and is tested there: by the test, which imports them or runs what does.
 * Every other file with logic has a test of its own in the same place: `src/log/receipts.ts`, `test/log/receipts.test.ts`.
 */
const testedBy: Readonly<Record<string, readonly string[]>> = {
  'log/sqlite/salvage.test.ts': [
    'log/sqlite/raw-pages.ts',
    'log/sqlite/store-extent.ts',
    'log/sqlite/store-identity.ts',
  ],
  'log/tools/import-events.test.ts': ['log/tools/stored-events.ts'],
  'auth/address-list.test.ts': ['auth/option-error.ts'],
  'auth/ldap-directory.test.ts': ['auth/ldap-connections.ts'],
  'cli/explain.test.ts': ['cli/grants.ts'],
  'cli/listen.test.ts': ['cli/follow.ts', 'cli/stop-signals.ts', 'client/listener.ts'],
  'cli/log-command.test.ts': ['cli/log-arguments.ts', 'cli/run-command.ts'],
  'cli/publish.test.ts': ['cli/event-command.ts', 'client/publisher.ts'],
  'cli/serve.test.ts': ['cli/about.ts', 'cli/dispatch.ts', 'cli/pid-file.ts', 'ops/start-error.ts'],
  'cli/config.test.ts': ['cli/file-options.ts'],
  'http/pages/openapi.test.ts': ['http/pages/openapi-document.ts'],
  'cli/launcher.test.ts': ['cli/node-flags.ts'],
  'cli/terminal.test.ts': ['cli/ask-password.ts', 'cli/reader-watch.ts'],
  'config/load.test.ts': [
    'config/ldap.ts',
    'config/schema.ts',
    'settings/place.ts',
    'settings/section.ts',
    'protocols/jetblack/settings.ts',
    'protocols/lonelyps/settings.ts',
    'settings/directory.ts',
    'settings/text-file.ts',
    'settings/tls.ts',
    'settings/values.ts',
    'settings/warnings.ts',
  ],
  'config/yaml.test.ts': ['settings/config-error.ts'],
  'cli/check.test.ts': ['protocols/lonelyps/lonelyps.ts'],
  'conformance/jetblack/messages.test.ts': [
    'protocols/jetblack/encoder.ts',
    'protocols/jetblack/parser.ts',
  ],
  'protocols/jetblack/session.test.ts': [
    'protocols/jetblack/authorisation.ts',
    'protocols/jetblack/bus.ts',
    'protocols/jetblack/by-pair.ts',
  ],
  'protocols/jetblack/publication.test.ts': [
    'protocols/jetblack/output.ts',
    'protocols/jetblack/sealed.ts',
  ],
  'conformance/lonelyps/authorization.test.ts': [
    'protocols/lonelyps/authorization.ts',
    'protocols/lonelyps/signed-bytes.ts',
  ],
  'conformance/lonelyps/etag.test.ts': ['protocols/lonelyps/etag.ts'],
  'hub/audience-group.test.ts': ['hub/wants.ts', 'hub/want-index.ts'],
  'hub/audience.test.ts': ['sockets/fan-out.ts'],
  'hub/delivery.test.ts': [
    'hub/byte-subscription.ts',
    'hub/event-subscription.ts',
    'hub/rights.ts',
  ],
  'consumers/durable-consumers.test.ts': [
    'consumers/durable-consumer.ts',
    'consumers/past-events.ts',
    'protocols/lonelyps/webhook-subscriptions.ts',
  ],
  'http/pages/pages.test.ts': ['http/pages/page-file.ts', 'http/pages/page-files.ts'],
  'http/server/answer.test.ts': ['http/server/door.ts'],
  'http/server/cors.test.ts': ['http/server/preflight.ts'],
  'http/server/errors.test.ts': [
    'http/server/refusals.ts',
    'hub/errors.ts',
    'publication/errors.ts',
  ],
  'protocols/lonelyps/stateless-requests.test.ts': ['protocols/lonelyps/errors.ts'],
  'http/stream/stream-encoding.test.ts': [
    'http/stream/ndjson-encoding.ts',
    'http/stream/sse-encoding.ts',
  ],
  'http/stream/stream.test.ts': [
    'http/stream/pypubsub-encoding.ts',
    'http/stream/stream-request.ts',
  ],
  'log/memory/memory-event-log.test.ts': [
    'hub/event-log.ts',
    'log/last-places.ts',
    'log/published-event.ts',
  ],
  'log/sqlite/sqlite-event-log.test.ts': ['log/sqlite/stored-event.ts'],
  'log/sqlite/store-lock.test.ts': ['log/sqlite/flock.ts'],
  'log/sqlite/sqlite-store.test.ts': ['log/sqlite/store-threads.ts'],
  'ops/watchdog.test.ts': ['ops/current-work.ts'],
  'protocols/lonelyps/glob.test.ts': ['protocols/lonelyps/automaton.ts'],
  'protocols/lonelyps/byte-reader.test.ts': ['protocols/lonelyps/byte-writer.ts'],
  'protocols/lonelyps/door.test.ts': [
    'protocols/lonelyps/deliveries.ts',
    'protocols/lonelyps/webhook.ts',
  ],
  'protocols/lonelyps/websockets.test.ts': ['protocols/lonelyps/delivery.ts'],
  'protocols/lonelyps/ws-compression.test.ts': [
    'protocols/lonelyps/compressor.ts',
    'protocols/lonelyps/partial-notification.ts',
  ],
  'protocols/lonelyps/ws-session.test.ts': ['protocols/lonelyps/violation-error.ts'],
  'where/cel.test.ts': [
    'where/arithmetic.ts',
    'where/functions.ts',
    'where/static-types.ts',
    'where/values.ts',
  ],
  'where/prices.test.ts': ['where/meter.ts'],
}

const SRC = fileURLToPath(new URL('../src', import.meta.url))

/** `import … from '…'`, `export … from '…'`, `import '…'` and `import('…')`, type-only ones included. */
const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*)['"](\.[^'"]+)['"]/g

/** How a door's section is described: `config/` puts them together, so they must not bring the door along. */
const DOOR_SECTION = /^protocols\/[^/]+\/settings\.ts$/

/** The room of a file, given its path below `src/`; `server` for the composition root. */
function roomOf(path: string): string {
  const [room, protocol, file] = path.split('/')
  if (protocol === undefined) return room!.replace(/\.ts$/, '')
  return room === 'protocols' && file !== undefined ? `protocols/${protocol}` : room!
}

/** The files that a file imports, below `src/` as it is itself. */
function importsOf(path: string, text: string): string[] {
  return [...text.matchAll(IMPORT)].map(([, target]) => join(dirname(path), target!))
}

function wrongImports(path: string, text: string): string[] {
  const room = roomOf(path)
  const allowed = DOOR_SECTION.test(path)
    ? ['settings']
    : mayImport[room.startsWith('protocols/') ? 'protocols/*' : room]
  const targets = importsOf(path, text)
  if (LEAVES.has(path))
    return targets.filter((target) => !LEAVES.has(target)).map((target) => `${path} -> ${target}`)
  return targets
    .filter(
      (target) =>
        (roomOf(target) !== room || DOOR_SECTION.test(path)) &&
        !ROOTS.has(room) &&
        !(room === 'config' && DOOR_SECTION.test(target)) &&
        !LEAVES.has(target) &&
        !allowed?.includes(roomOf(target)),
    )
    .map((target) => `${path} -> ${target}`)
}

/** Of each file, in their order, the circle that a walk from it comes upon first; a circle is told once. */
function circles(texts: ReadonlyMap<string, string>): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const walk = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path)
    if (start !== -1) found.push([...way.slice(start), path].join(' -> '))
    if (start !== -1 || done.has(path)) return
    for (const target of importsOf(path, texts.get(path) ?? '')) walk(target, [...way, path])
    done.add(path)
  }
  for (const path of texts.keys()) walk(path, [])
  return found
}

/**
 * Whether a file decides, repeats, gives or refuses anything: one with types, constants and what it hands on of others does
 * not. Word by word, as no parser of TypeScript is here; a word in a text counts too, and then a test is asked for.
 */
function hasLogic(text: string): boolean {
  const code = text.replace(COMMENT, '')
  return /\b(?:return|throw|if|for|while|switch|catch)\b|&&|\|\||\?\?|[=!]==/.test(code)
}

const COMMENT = /\/\*[^]*?\*\/|^\s*\/\/.*$/gm

/** Paths of other files that stand in a file, from there or from the repository: imports, and what it runs in a process. */
const LINK = /['"]((?:\.|src\/|test\/|bin\/)[^'"\n]*(?:\.[jt]s|pubsubd))['"]/g

/** Whether a test comes to a file, by itself or by way of others. Paths are those of the repository. */
function reaches(from: string, file: string, textOf: (path: string) => string): boolean {
  const seen = new Set([from])
  for (const path of seen) {
    if (path === file) return true
    for (const [, target] of textOf(path).matchAll(LINK))
      seen.add(join(target!.startsWith('.') ? dirname(path) : '', target!))
  }
  return false
}

/** What is wrong with the tests of files of `src/`, given the files of the repository and who tests what. */
function missingTests(
  files: ReadonlyMap<string, string>,
  named: Readonly<Record<string, readonly string[]>>,
): string[] {
  const testOf = new Map(
    Object.entries(named).flatMap(([by, paths]) => paths.map((path) => [path, by])),
  )
  const textOf = (path: string) => files.get(path) ?? ''
  const wrong = [...testOf.keys()]
    .filter((path) => !files.has(`src/${path}`))
    .map((path) => `${path} is not there, and ${testOf.get(path)} is named as its test`)
  for (const [file, text] of files) {
    if (!file.startsWith('src/')) continue
    const path = file.slice('src/'.length)
    const mirror = path.replace(/ts$/, 'test.ts')
    const other = testOf.get(path)
    const isMirrored = files.has(`test/${mirror}`)
    if (other !== undefined && (isMirrored || !hasLogic(text)))
      wrong.push(`${path} needs not be named: it has ${isMirrored ? 'its own test' : 'no logic'}`)
    const own = isMirrored ? mirror : other
    if (own === undefined) {
      if (hasLogic(text)) wrong.push(`${path} has no test: ${mirror} is not there`)
    } else if (!reaches(`test/${own}`, file, textOf))
      wrong.push(`${path} is not what ${own} tests: it does not come to it`)
  }
  return wrong
}

/** A union of codes, such as `HubErrorCode`; doors have tables over them. Up to the next empty line. */
const UNION_OF_CODES = /\btype (\w*ErrorCode) =([^]*?)(?:\n\n|$)/g

const REFUSAL = /\bclass (\w+) extends PubSubError \{\n(?:.*\n)*? {2}readonly code(?:: (\w+))?/g

/** Refusals in no union of codes, and unions that no table of a door holds, upon which tables without them would compile. */
function unlistedRefusals(texts: Iterable<string>): string[] {
  const all = [...texts].map((text) => text.replace(COMMENT, '')).join('\n\n')
  const unions = new Map([...all.matchAll(UNION_OF_CODES)].map(([, name, text]) => [name!, text!]))
  const listed = new Set(unions.values().flatMap((text) => text.match(/\w+/g) ?? []))
  const refusals = [...all.matchAll(REFUSAL)].map(([, name, codes]) => codes ?? name!)
  return [
    ...refusals.filter((name) => !listed.has(name)),
    ...unions.keys().filter((name) => !listed.has(name) && !all.includes(`Record<${name}, `)),
  ]
}

function filesOf(directory: string): Map<string, string> {
  return new Map(
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => join(entry.parentPath, entry.name))
      .toSorted()
      .map((path) => [relative(directory, path), readFileSync(path, 'utf8')]),
  )
}

/** The text of each file of `src/`, by its path there. */
const sources: ReadonlyMap<string, string> = filesOf(SRC)

/** Within a row of the page a file may be named without its folder. */
function isThere(path: string): boolean {
  return (
    [...sources.keys()].some((file) => file === path || file.endsWith(`/${path}`)) ||
    existsSync(new URL(`../${path}`, import.meta.url)) ||
    existsSync(new URL(`../test/contracts/${path}`, import.meta.url))
  )
}

test('every import points toward the hub', () => {
  assert.ok(sources.size > 20)
  assert.deepEqual(
    [...sources].flatMap(([path, text]) => wrongImports(path, text)),
    [],
  )
})

test('no file of src/ imports itself by way of others', () => {
  assert.deepEqual(circles(sources), [])
})

test('each file of src/ with logic has a test in the same place, or is named above with the one that tests it', () => {
  const tests = filesOf(fileURLToPath(new URL('.', import.meta.url)))
  const program = readFileSync(new URL('../bin/pubsubd.js', import.meta.url), 'utf8')
  const files = new Map([
    ['bin/pubsubd.js', program],
    ['bin/pubsubd', program], // which runs the other
    ...[...sources].map(([path, text]) => [`src/${path}`, text] as const),
    ...[...tests].map(([path, text]) => [`test/${path}`, text] as const),
  ])
  assert.deepEqual(missingTests(files, testedBy), [])
})

test('every refusal has its code in a union that is in the table of a door', () => {
  assert.deepEqual(unlistedRefusals(sources.values()), [])
})

test('the picture of the architecture shows the imports as they are', () => {
  const edges = [...sources].flatMap(([path, text]) =>
    importsOf(path, text)
      .filter((target) => !LEAVES.has(target) && !DOOR_SECTION.test(target))
      .map((target) => [roomOf(path), roomOf(target)] as const),
  )
  const imports = roomImports(edges)
  const file = new URL('../docs/architecture.svg', import.meta.url)
  if (process.env['WRITE_PICTURES'] !== undefined) writePicture(file, imports)
  assert.ok(
    readFileSync(file, 'utf8') === architecturePicture(imports),
    'docs/architecture.svg is old: WRITE_PICTURES=1 node --test test/architecture.test.ts',
  )
})

test('every file that the page on the architecture names is there', () => {
  const page = readFileSync(new URL('../docs/architecture.md', import.meta.url), 'utf8')
  const named = [...page.matchAll(/`([\w/-]+(?:\.test)?\.ts)`/g)].map(([, path]) => path!)
  assert.ok(named.length > 30)
  assert.deepEqual(
    named.filter((path) => !isThere(path)),
    [],
  )
})

test('an import in the wrong direction is found, whatever it looks like', () => {
  const door = 'protocols/jetblack/door.ts'
  for (const text of [
    "import { MemoryEventLog } from '../../log/memory.ts'",
    "import type { MemoryEventLog } from '../../log/memory.ts'",
    "export * from '../../log/memory.ts'",
    "import '../../log/memory.ts'",
    "const log = await import('../../log/memory.ts')",
  ])
    assert.deepEqual(wrongImports(door, text), [`${door} -> log/memory.ts`])
  assert.deepEqual(wrongImports(door, "import '../lonelyps/door.ts'"), [
    `${door} -> protocols/lonelyps/door.ts`,
  ])
  assert.deepEqual(wrongImports(door, "import '../door.ts'\nimport '../../hub/hub.ts'"), [])
  const section = 'protocols/jetblack/settings.ts'
  assert.deepEqual(wrongImports(section, "import './door.ts'\nimport '../../hub/hub.ts'"), [
    `${section} -> ${door}`,
    `${section} -> hub/hub.ts`,
  ])
  assert.deepEqual(
    wrongImports('config/schema.ts', `import '../${section}'\nimport '../${door}'`),
    [`config/schema.ts -> ${door}`],
  )
  assert.deepEqual(wrongImports('hub/hub.ts', "import { log } from '../server.ts'"), [
    'hub/hub.ts -> server.ts',
  ])
  assert.deepEqual(wrongImports('hub/hub.ts', "import { log } from '../ops/logger.ts'"), [])
  assert.deepEqual(wrongImports('ops/logger.ts', "import { Hub } from '../hub/hub.ts'"), [
    'ops/logger.ts -> hub/hub.ts',
  ])
})

test('a circle of imports is found and told by its files, whatever the imports look like', () => {
  const files = new Map([
    ['cli/main.ts', "import './a.ts'"],
    ['cli/a.ts', "import type { B } from './b.ts'\nimport './leaf.ts'"],
    ['cli/b.ts', "const c = await import('../hub/c.ts')"],
    ['hub/c.ts', "export * from '../cli/leaf.ts'\nexport * from '../cli/a.ts'"],
    ['cli/leaf.ts', ''],
    ['hub/self.ts', "import type { Self } from './self.ts'"],
  ])
  assert.deepEqual(circles(files), [
    'cli/a.ts -> cli/b.ts -> hub/c.ts -> cli/a.ts',
    'hub/self.ts -> hub/self.ts',
  ])
  assert.deepEqual(circles(new Map([...files].filter(([path]) => !path.startsWith('hub/')))), [])
})

test('what has no test, or one that has nothing to do with it, is found', () => {
  const logic = 'export function f() { return 1 }'
  const files = new Map([
    [
      'src/a/types.ts',
      '/** To return: if and for. */\nexport type T = (a: 1) => void\nexport const N = 1',
    ],
    ['src/a/own.ts', logic],
    ['src/a/alone.ts', logic],
    ['src/a/glue.ts', `import './part.ts'\n${logic}`],
    ['src/a/part.ts', logic],
    ['src/a/other.ts', logic],
    ['src/a/thread.ts', logic],
    ['test/a/own.test.ts', "import { f } from '../../src/a/own.ts'"],
    ['test/a/glue.test.ts', "import { run } from './run.ts'"],
    ['test/a/run.ts', "new URL('../../src/a/glue.ts', import.meta.url)"],
    ['test/a/thread.test.ts', ''],
  ])
  const named = {
    'a/glue.test.ts': ['a/part.ts', 'a/other.ts', 'a/gone.ts', 'a/own.ts', 'a/types.ts'],
  }
  assert.deepEqual(missingTests(files, named), [
    'a/gone.ts is not there, and a/glue.test.ts is named as its test',
    'a/types.ts needs not be named: it has no logic',
    'a/types.ts is not what a/glue.test.ts tests: it does not come to it',
    'a/own.ts needs not be named: it has its own test',
    'a/alone.ts has no test: a/alone.test.ts is not there',
    'a/other.ts is not what a/glue.test.ts tests: it does not come to it',
    'a/thread.ts is not what a/thread.test.ts tests: it does not come to it',
  ])
})

test('a refusal is found whose code is in no union, or in one that no table has', () => {
  const texts = [
    "class AError extends PubSubError {\n  readonly code = 'A'\n}",
    "/** Why. */\nexport class Forgotten extends PubSubError {\n  readonly code = 'F'\n}",
    'class OwnError extends PubSubError {\n  readonly code: OwnErrorCode\n}',
    "export type RoomErrorCode = (\n  | AError\n)['code']\n\nconst Forgotten = 1",
    "/** Record<LooseErrorCode, 1> */\ntype LooseErrorCode = 'B'",
    'type DoorErrorCode = RoomErrorCode\n\nconst T: Record<DoorErrorCode, number> = { A: 1 }',
  ]
  assert.deepEqual(unlistedRefusals(texts), ['Forgotten', 'OwnErrorCode', 'LooseErrorCode'])
})
