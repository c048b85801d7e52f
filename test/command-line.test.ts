import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { DEADLINE_MS } from './deadline.ts'
import { consoleCommands, patternOf } from './console-commands.ts'
import { startServer } from './running-server.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PAGE = readFileSync(join(ROOT, 'docs/command-line.md'), 'utf8')

test(
  'every command of docs/command-line.md does what it shows',
  { timeout: 3 * DEADLINE_MS },
  async () => {
    const config = example('pubsub.yaml')
    const acl = example('pubsub_acl.yaml')
    await using server = await startServer({
      config: config.replace('server:\n', 'server:\n  bind: 127.0.0.1\n  port: 0\n'),
      acl,
    })
    // The files as the page shows them; the server has read its own.
    writeFileSync(join(server.directory, 'pubsub.yaml'), config)
    const programs = join(server.directory, 'programs')
    mkdirSync(programs)
    symlinkSync(join(ROOT, 'bin/pubsubd'), join(programs, 'pubsubd'))

    const commands = consoleCommands(PAGE)
    assert.ok(commands.length >= 12)
    for (const { command, lines } of commands) {
      const shell = spawn(
        'bash',
        ['-c', command.replaceAll('localhost:2069', `localhost:${server.port}`)],
        {
          cwd: server.directory,
          env: {
            ...process.env,
            HOME: server.directory,
            PATH: `${programs}:${process.env['PATH']}`,
          },
          stdio: ['ignore', 'pipe', 'pipe'],
          timeout: DEADLINE_MS,
        },
      )
      const [out, err] = await Promise.all([
        text(shell.stdout),
        text(shell.stderr),
        once(shell, 'close'),
      ])
      assert.match(err + out, patternOf(lines, VARYING, '0-9a-f.-'), command)
    }
  },
)

test('every file that docs/command-line.md links to is there', () => {
  const links = [...PAGE.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, target]) => target!)
  assert.ok(links.length >= 3)
  for (const link of links) assert.ok(existsSync(join(ROOT, 'docs', link)), link)
})

/** The text of a file that the page shows, without the line that names it. */
function example(file: string): string {
  const block = new RegExp(`\`\`\`yaml\n(# ${RegExp.escape(file)}\n.*?)\`\`\``, 's').exec(PAGE)
  assert.ok(block !== null, file)
  return block[1]!
}

/** Whatever is different each time: times and cursors. */
const VARYING = /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b\d{10}\.\d+\b/
