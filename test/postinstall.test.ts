import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const NODE_PACKAGE = `node-${process.platform}-${process.arch}`

/** A checkout in which npm has installed these packages and linked nothing. */
function installed(...packages: readonly string[]) {
  const directory = mkdtempSync(join(tmpdir(), 'pubsubd-install-'))
  copyFileSync(
    fileURLToPath(new URL('../postinstall.js', import.meta.url)),
    join(directory, 'postinstall.js'),
  )
  writeFileSync(join(directory, 'package.json'), '{"type": "module"}')
  mkdirSync(join(directory, 'node_modules/.bin'), { recursive: true })
  for (const name of packages) {
    mkdirSync(join(directory, 'node_modules', name, 'bin'), { recursive: true })
    writeFileSync(join(directory, 'node_modules', name, 'bin/node'), name)
  }
  return {
    link: join(directory, 'node_modules/.bin/node'),
    install: () => execFileSync(process.execPath, ['postinstall.js'], { cwd: directory }),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true }),
  }
}

test('Node is linked where npm has not done it, once', () => {
  using checkout = installed(NODE_PACKAGE)
  checkout.install()
  assert.equal(readFileSync(checkout.link, 'utf8'), NODE_PACKAGE)
  checkout.install()
  assert.equal(readlinkSync(checkout.link), `../${NODE_PACKAGE}/bin/node`)
})

test('a link that leads nowhere, as to the Node of another processor, is replaced', () => {
  using checkout = installed(NODE_PACKAGE)
  symlinkSync('../node-plan9-mips/bin/node', checkout.link)
  checkout.install()
  assert.equal(readFileSync(checkout.link, 'utf8'), NODE_PACKAGE)
})

test('where npm brings no Node for this machine, its own has to do', () => {
  using checkout = installed('node-plan9-mips')
  checkout.install()
  assert.throws(() => readlinkSync(checkout.link), /ENOENT/)
})
