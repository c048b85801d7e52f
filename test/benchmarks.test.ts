import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

test('npm run bench runs each benchmark of docs/benchmarks.md, but for the one that needs another checkout', () => {
  const [, table] = /^\| name \|.*\n([^]*?)\n\n/m.exec(read('docs/benchmarks.md'))!
  const described = [...table!.matchAll(/^\| `([\w-]+)` \|/gm)].map(([, name]) => name!)
  assert.ok(described.length > 15)
  const { bench } = JSON.parse(read('package.json')).scripts
  const [, run] = /for each in ([\w -]+);/.exec(bench)!
  assert.deepEqual(
    run!.split(' ').toSorted(),
    described.filter((name) => name !== 'pairs').toSorted(),
  )
  for (const name of described)
    assert.ok(existsSync(new URL(`../bench/${name}.ts`, import.meta.url)), name)
})
