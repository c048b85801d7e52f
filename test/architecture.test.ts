import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

/** The whole dependency rule. `server` is absent: the composition root may import every room. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  publication: [],
  hub: ['publication'],
  config: [],
  ui: [],
  log: ['hub', 'publication'],
  auth: ['hub'],
  outgoing: ['auth'], // address ranges are read as those of publishers
  where: ['hub', 'publication'],
  ops: ['hub'],
  sockets: ['hub'],
  websocket: ['hub', 'publication', 'sockets'],
  http: ['hub', 'publication', 'auth', 'where', 'sockets', 'websocket', 'ops'],
  protocols: ['hub', 'publication', 'auth', 'outgoing', 'sockets', 'websocket'],
  'protocols/*': ['hub', 'publication', 'auth', 'outgoing', 'sockets', 'websocket', 'protocols'], // never another protocol
  client: [], // the CLI's own publish and listen over HTTP; shares nothing with the server
  cli: ['config', 'server', 'log', 'auth', 'client', 'ops'],
}

/** Files that any room may import, as they import nothing but each other. */
const LEAVES: ReadonlySet<string> = new Set(['ops/logger.ts', 'ops/seldom-report.ts'])

const SRC = fileURLToPath(new URL('../src', import.meta.url))

/** `import … from '…'`, `export … from '…'`, `import '…'` and `import('…')`, type-only ones included. */
const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*)['"](\.[^'"]+)['"]/g

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
  const allowed = mayImport[room.startsWith('protocols/') ? 'protocols/*' : room]
  const targets = importsOf(path, text)
  if (LEAVES.has(path))
    return targets.filter((target) => !LEAVES.has(target)).map((target) => `${path} -> ${target}`)
  return targets
    .filter(
      (target) =>
        roomOf(target) !== room &&
        room !== 'server' &&
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

/** The text of each file of `src/`, by its path there. */
const sources: ReadonlyMap<string, string> = new Map(
  readdirSync(SRC, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(SRC, join(entry.parentPath, entry.name)))
    .toSorted()
    .map((path) => [path, readFileSync(join(SRC, path), 'utf8')]),
)

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
