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

const SRC = fileURLToPath(new URL('../src', import.meta.url))

/** `import … from '…'`, `export … from '…'`, `import '…'` and `import('…')`, type-only ones included. */
const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*)['"](\.[^'"]+)['"]/g

/** The room of a file, given its path below `src/`; `server` for the composition root. */
function roomOf(path: string): string {
  const [room, protocol, file] = path.split('/')
  if (protocol === undefined) return room!.replace(/\.ts$/, '')
  return room === 'protocols' && file !== undefined ? `protocols/${protocol}` : room!
}

function wrongImports(path: string, text: string): string[] {
  const room = roomOf(path)
  const allowed = mayImport[room.startsWith('protocols/') ? 'protocols/*' : room]
  const targets = [...text.matchAll(IMPORT)].map(([, target]) => join(dirname(path), target!))
  return targets
    .filter(
      (target) =>
        roomOf(target) !== room && room !== 'server' && !allowed?.includes(roomOf(target)),
    )
    .map((target) => `${path} -> ${target}`)
}

test('every import points toward the hub', () => {
  const files = readdirSync(SRC, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(SRC, join(entry.parentPath, entry.name)))
  assert.ok(files.length > 20)
  const wrong = files.flatMap((path) => wrongImports(path, readFileSync(join(SRC, path), 'utf8')))
  assert.deepEqual(wrong, [])
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
})
