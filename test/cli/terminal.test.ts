import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { startPubsub } from '../http/requests.ts'
import { tlsSection } from '../http/tls-section.ts'
import type { RunningServer } from '../running-server.ts'
import { Command } from './command.ts'
import { publishedAt, sharedServer } from './pubsub-server.ts'

const server = sharedServer()

/** Begins what colours text, as an expression has it. */
const ESC = '\u001b\\['

/** A command line on a terminal of its own. */
function onTerminal(words: string, environment: Readonly<Record<string, string>> = {}): Command {
  return new Command(
    {},
    { shell: `exec script -qefc '"$PUBSUBD" ${words}' typescript` },
    { input: 'open', environment: { TERM: 'xterm', NO_COLOR: '', ...environment } },
  )
}

async function publish(path: string, payload: string): Promise<void> {
  const { status } = await fetch(server().url + path, { method: 'PUT', body: payload })
  assert.equal(status, 202)
}

describe('on a terminal', { concurrency: 4 }, () => {
  test('an event is one coloured line, and not coloured where NO_COLOR or the terminal says so', async () => {
    await publish('/line/apples', '{"text": "Äpfel"}')
    const words = `listen ${server().url}/line --since all --count 1`
    for (const [environment, line] of [
      [
        {},
        new RegExp(
          `${ESC}2m\\d\\d:\\d\\d:\\d\\d ${ESC}0m${ESC}36mline/apples${ESC}0m {2}${ESC}33mtext${ESC}0m="Äpfel"\r?\n`,
        ),
      ],
      [{ NO_COLOR: '1' }, /(?:^|[\r\nK])\d\d:\d\d:\d\d line\/apples {2}text="Äpfel"\r?\n/],
      [{ TERM: 'dumb' }, /(?:^|[\r\nK])\d\d:\d\d:\d\d line\/apples {2}text="Äpfel"\r?\n/],
    ] as const) {
      await using command = onTerminal(words, environment)
      assert.equal(await command.exit(), 0, command.output)
      assert.match(command.stdout, line)
    }
    await using asked = onTerminal(`${words} --format json`)
    assert.equal(await asked.exit(), 0)
    assert.match(asked.stdout, /\{"text": "Äpfel", "pubsub_timestamp"/)
  })

  test('a command gets the event as it came', async () => {
    await publish('/exec/apples', '{"n": 1}')
    await using command = onTerminal(`listen ${server().url}/exec --since all --count 1 --exec cat`)
    assert.equal(await command.exit(), 0, command.output)
    assert.match(command.stdout, /\{"n": 1, "pubsub_timestamp"/)
  })

  test('the line that says how it goes has the topics, the rate and the age of the last event', async () => {
    await publish('/status', '{"n": 1}')
    await using command = onTerminal(`listen ${server().url}/status --since all`)
    await command.printed(
      /listening to 127\.0\.0\.1:\d+\/status, 1 events, \d\.\d\/s, the last \d s ago/,
    )
  })

  test('a password is asked for, not shown, and may be corrected', async () => {
    const words = `publish -u alice ${server().url}/commit -d {}`
    await using command = onTerminal(words, { NETRC: '/dev/null' })
    await command.printed(/Password of alice: /)
    command.child.stdin!.write('wonder:lant\u007fd\r')
    assert.equal(await command.exit(), 0, command.output)
    assert.doesNotMatch(command.output, /wonder/)
    assert.deepEqual(await publishedAt(`${server().url}/commit`), ['{}'])
  })

  test('Ctrl-C instead of a password ends it, and the terminal is as it was', async () => {
    const shell = `"$PUBSUBD" publish -u alice ${server().url}/commit -d {}; stty -a`
    await using command = new Command(
      {},
      { shell: `exec script -qefc '${shell}' typescript` },
      { input: 'open', environment: { NETRC: '/dev/null' } },
    )
    await command.printed(/Password of alice: /)
    command.child.stdin!.write('won\u0003')
    await command.printed(/ echo /)
    assert.doesNotMatch(command.stdout, / -echo /)
    assert.match(command.stdout, / icanon/)
  })
})

describe('in a pipe', () => {
  test('listen ends once its reader has gone, though no further event comes', async () => {
    await publish('/head', '{"n": 1}')
    await using command = new Command(
      {},
      { shell: `"$PUBSUBD" listen ${server().url}/head --since all | head -n 1; echo over` },
    )
    assert.equal(await command.exit(), 0)
    assert.match(command.stdout, /^\{"n": 1, .*\}\nover\n$/)
  })
})

describe('the wrong scheme for a port', () => {
  let secure: RunningServer
  before(async () => {
    secure = await startPubsub({ server: { tls: tlsSection() } })
  })
  after(() => secure[Symbol.asyncDispose]())

  test('https:// where nobody speaks TLS is told at once, with the URL that would do', async () => {
    for (const words of [['listen'], ['publish', '-d', '{}']]) {
      await using command = new Command({}, [...words, `https://127.0.0.1:${secure.port}/a`])
      assert.equal(await command.exit(), 3)
      assert.match(
        command.stderr,
        /127\.0\.0\.1:\d+ does not speak TLS on that port: is it http:\/\/127\.0\.0\.1:\d+\/a\?\n$/,
      )
    }
  })

  test('http:// where TLS is spoken is told with each try', async () => {
    await using command = new Command({}, [
      'publish',
      `http://127.0.0.1:${secure.tlsPort}/a`,
      '-d',
      '{}',
      '--retry-for',
      '0',
    ])
    assert.equal(await command.exit(), 4)
    assert.match(command.stderr, /if that port speaks TLS, it is https:\/\/127\.0\.0\.1:\d+\/a\n$/)
  })
})
