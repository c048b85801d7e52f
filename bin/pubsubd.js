#!/usr/bin/env node
// In a checkout and in an installed package alike, and by any Node that is still in use: what follows needs Node 24.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { useCompileCache } from './compile-cache.js'

const F_SETFD = 2 // fcntl.h

const source = new URL('../src/cli/main.ts', import.meta.url)
const main = existsSync(source) ? source : new URL('../dist/cli/main.js', import.meta.url)

if (Number(process.versions.node.split('.')[0]) < 24) await handOver(fileURLToPath(import.meta.url))
useCompileCache()
await import(main)

/** Goes on as the Node 24 that npm has installed beside us: under the same process id, where that can be. */
async function handOver(file) {
  const node = nodeOfPackage()
  if (node === null) refuse()
  const words = [node, file, ...process.argv.slice(2)]
  const exec = process.execve === undefined ? await loadExec() : execve
  if (exec === null) await passOn(spawn(node, words.slice(1), { stdio: 'inherit' }))
  exec(node, words)
  refuse() // it cannot be run here, as where the C library is another one
}

function refuse() {
  process.stderr.write(
    `pubsubd needs Node 24 or newer, and this is ${process.version}. Install it, or install pubsubd with its optional ` +
      'dependencies (npm without --omit=optional): they bring one for Linux with glibc, on x64 and arm64.\n',
  )
  process.exit(1)
}

function execve(path, words) {
  try {
    process.execve(path, words, process.env)
  } catch {
    // Whoever called goes on.
  }
}

function nodeOfPackage() {
  try {
    const require = createRequire(import.meta.url)
    return require.resolve(`node-${process.platform}-${process.arch}/bin/node`)
  } catch {
    return null
  }
}

/** Node 20 cannot do it itself. */
async function loadExec() {
  try {
    const { default: koffi } = await import('koffi')
    const library = koffi.load(null)
    const exec = library.func('int execv(const char *path, const char **words)')
    const setFlags = library.func('int fcntl(int descriptor, int command, int flags)')
    return (path, words) => {
      // Node has all of them closed when another program takes its place.
      for (const descriptor of [0, 1, 2]) setFlags(descriptor, F_SETFD, 0)
      exec(path, [...words, null])
    }
  } catch {
    return null
  }
}

/** Two processes that look like one: it never comes back. */
function passOn(child) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2', 'SIGQUIT'])
    process.on(signal, () => child.kill(signal))
  child.on('error', refuse)
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
  return new Promise(() => {})
}
