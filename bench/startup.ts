import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { median, option, row } from './harness.ts'

/**
 * What a start takes beside that of Node alone, from this checkout or, with `--program FILE`, from an installed one: wall time, warm, as what
 * Node has compiled is kept. The commands take turns, so that a busy moment of the machine meets all of them.
 */
const rounds = option('rounds', 15)
const at = process.argv.indexOf('--program')
const program =
  at === -1 ? fileURLToPath(new URL('../bin/pubsubd', import.meta.url)) : process.argv[at + 1]!

const directory = mkdtempSync(join(tmpdir(), 'pubsubd-startup-'))
writeFileSync(
  join(directory, 'pubsub.yaml'),
  'server: {bind: 127.0.0.1, port: 0}\nclients: {payloaders: [127.0.0.1]}\n',
)
writeFileSync(join(directory, 'pubsub_acl.yaml'), '{}\n')

const COMMANDS: Readonly<Record<string, readonly [string, ...string[]]>> = {
  'node -e 0': [process.execPath, '-e', '0'],
  '--version': [program, '--version'],
  '--help': [program, '--help'],
  'publish --help': [program, 'publish', '--help'],
  'listen --help': [program, 'listen', '--help'],
  check: [program, 'check'],
  'completion bash': [program, 'completion', 'bash'],
}

const times = new Map<string, number[]>()
const keep = (name: string, ms: number) => times.set(name, [...(times.get(name) ?? []), ms])

try {
  for (let round = -2; round < rounds; round++) {
    for (const [name, [command, ...words]] of Object.entries(COMMANDS)) {
      const startedMs = performance.now()
      const { status } = spawnSync(command, words, { cwd: directory, stdio: 'ignore' })
      if (status !== 0) throw new Error(`${name}: exit code ${status}`)
      if (round >= 0) keep(name, performance.now() - startedMs)
    }
    const ms = await listening()
    if (round >= 0) keep('the server listens', ms)
  }
} finally {
  rmSync(directory, { recursive: true })
}

const alone = median(times.get('node -e 0')!)
row('warm', 'ms', '× node -e 0')
row('---', '---', '---')
for (const [name, all] of times) row(name, median(all), median(all) / alone)

async function listening(): Promise<number> {
  const startedMs = performance.now()
  const server = spawn(program, {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let text = ''
  for await (const chunk of server.stdout.setEncoding('utf8')) {
    text += chunk
    if (text.includes('listening on')) break
  }
  const ms = performance.now() - startedMs
  server.kill()
  if (server.exitCode === null) await once(server, 'exit')
  return ms
}
