/**
 * Plays the cases that are new or have changed on the original, and writes transcripts.json. By hand:
 *
 *     node test/conformance/pypubsub/record.ts PYTHON PYPUBSUB.PY [--all]
 *
 * PYTHON needs aiohttp, PyYAML, netaddr and aiofile; python-ldap, aiobotocore and botocore may be empty modules on
 * PYTHONPATH. Each case gets an original of its own, because closed streams linger in it for seconds. `--all` plays
 * every case again.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Case } from './case.ts'
import { cases } from './cases.ts'
import { ACL, configText, type ConfigName } from './configs.ts'
import { play, type Target } from './play.ts'
import { digestOf, readTranscripts, writeTranscripts, type Recorded } from './transcripts.ts'

/** Longer than the original's 5 s between keep-alives. */
const SILENCE_MS = 7_000

const [python, pypubsub, all] = process.argv.slice(2)
if (python === undefined || pypubsub === undefined)
  throw new Error('usage: node record.ts PYTHON PYPUBSUB.PY [--all]')

const before = all === '--all' ? {} : readTranscripts()
const after: Record<string, Recorded> = {}
for (const played of cases) {
  const known = before[played.name]
  after[played.name] =
    known?.steps === digestOf(played) ? known : await record(played, python, pypubsub)
}
writeTranscripts(after)

async function record(played: Case, interpreter: string, script: string): Promise<Recorded> {
  process.stdout.write(`${played.name}\n`)
  await using original = await startOriginal(interpreter, script, played.config)
  return {
    steps: digestOf(played),
    seen: await play(played, original, { silenceMs: SILENCE_MS, keepAliveMs: 5_000 }),
  }
}

async function startOriginal(
  interpreter: string,
  script: string,
  config: ConfigName,
): Promise<Target & AsyncDisposable> {
  const directory = mkdtempSync(join(tmpdir(), 'pypubsub-'))
  const port = await freePort()
  const aclPath = join(directory, 'pypubsub_acl.yaml')
  writeFileSync(join(directory, 'pypubsub.yaml'), configText(config, port))
  writeFileSync(aclPath, ACL)
  const child = spawn(interpreter, [script], {
    cwd: directory,
    env: { ...process.env, PYTHONUNBUFFERED: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  const printed = async (pattern: RegExp) => {
    const signal = AbortSignal.timeout(SILENCE_MS)
    while (!pattern.test(output))
      await Promise.race(
        [child.stdout, child.stderr].map((stream) => once(stream, 'data', { signal })),
      )
    output = ''
  }
  await printed(/Serving up/)
  return {
    port,
    async reloadAcl(text) {
      output = ''
      writeFileSync(aclPath, text)
      child.kill('SIGUSR2')
      await printed(/Loaded ACL|yaml\..*Error/)
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await once(child, 'exit')
      rmSync(directory, { recursive: true })
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
