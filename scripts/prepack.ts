import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Makes `dist/` of `src/` for the package: JavaScript, as Node strips no types below `node_modules`. Lines and columns stay what they are, so that
 * a stack leads to the sources.
 */
const source = fileURLToPath(new URL('../src', import.meta.url))
const target = fileURLToPath(new URL('../dist', import.meta.url))

/** Of our own files, in imports and in URLs of workers. */
const OWN_FILE = /(\bfrom |\bimport |\bimport\(|\bnew URL\()(['"])(\.{1,2}\/[^'"\n]+)\.ts\2/g

rmSync(target, { recursive: true, force: true })
for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue
  const from = join(entry.parentPath, entry.name)
  const to = join(target, from.slice(source.length)).replace(/\.ts$/, '.js')
  mkdirSync(dirname(to), { recursive: true })
  if (from.endsWith('.ts')) {
    const stripped = stripTypeScriptTypes(readFileSync(from, 'utf8'))
    writeFileSync(to, stripped.replace(OWN_FILE, '$1$2$3.js$2'))
  } else cpSync(from, to)
}
