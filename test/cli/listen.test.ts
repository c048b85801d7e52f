import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CuttableProxy } from '../clients/cuttable-proxy.ts'
import { newTopic, publish } from '../clients/pubsub-server.ts'
import { startServer } from '../running-server.ts'
import { Command } from './command.ts'
import { sharedServer } from './pubsub-server.ts'

/** Each test is a process or two of its own. */
const AT_ONCE = { concurrency: 4 }

function listen(words: readonly string[], files: Readonly<Record<string, string>> = {}): Command {
  return new Command(files, ['listen', ...words], { environment: { HOME: '/nonexistent' } })
}

/** What the events have as their `n`, one on each line of what was printed. */
function numbers(lines: string): unknown[] {
  return lines
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { n: unknown }).n)
}

describe('pubsubd listen', AT_ONCE, () => {
  const server = sharedServer()
  /** A topic that these numbers were published to. */
  const published = async (count: number, path = (_n: number) => ''): Promise<string> => {
    const topic = newTopic()
    for (let n = 0; n < count; n++) await publish(server(), `/${topic}${path(n)}`, { n })
    return topic
  }

  test('prints each event as it comes, and ends after --count of them', async () => {
    const topic = newTopic()
    await using command = listen([`${server().url}/${topic}`, '--count', '2', '--checkpoint', 'c'])
    // Its checkpoint tells that it listens.
    while (command.read('c') === '') await new Promise((resolve) => setTimeout(resolve, 20))
    await publish(server(), `/${topic}`, { n: 1 })
    await command.printed(/"n":1/)
    await publish(server(), `/${topic}`, { n: 2 })
    await publish(server(), `/${topic}`, { n: 3 })
    assert.equal(await command.exit(), 0, command.stderr)
    assert.deepEqual(numbers(command.stdout), [1, 2])
    assert.equal(command.stderr, '')
  })

  test('a pipe, a command and the file of what is set aside get nothing that a terminal obeys', async () => {
    const topic = newTopic()
    const text = '\u009b31m\u202e\u2066\u2028\u2029\u0085\u007f'
    await publish(server(), `/${topic}/${encodeURIComponent(`\n${text}`)}`, { text })
    const url = `${server().url}/${topic}`
    const once = ['--since', 'all', '--count', '1']
    const exec = ['--exec', 'cat; exit 1', '--tries', '1', '--set-aside', 'failed']
    for (const words of [[], ['--format', 'payload'], ['--format', 'pretty'], exec]) {
      await using command = listen([url, ...once, ...words])
      await command.exit()
      const printed = command.stdout + command.read('failed') + command.stderr
      assert.match(printed, /"text": ?"\\u009b31m\\u202e\\u2066\\u2028\\u2029\\u0085\\u007f"/)
      for (const line of printed.split('\n'))
        assert.doesNotMatch(line, /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u)
    }
  })

  test('a place for failed events where somebody else decides what is written to ends it before any command runs', async () => {
    const url = `${server().url}/${await published(1)}`
    const words = [
      url,
      '--since',
      'all',
      '--count',
      '1',
      '--exec',
      'echo ran; exit 3',
      '--tries',
      '1',
    ]
    const places = {
      'ln -s victim c.failed; set -- --checkpoint c': /c\.failed is a symbolic link/,
      'ln victim failed; set -- --set-aside failed': /failed has 2 names/,
      'mkfifo failed; set -- --set-aside failed': /failed is no ordinary file/,
      'mkdir failed; set -- --set-aside failed': /failed is no ordinary file/,
      'set -- --set-aside none/failed': /there is no directory none/,
      'mkdir d; chmod 777 d; set -- --set-aside d/failed': /d may be written by anybody/,
      'set -- --checkpoint c --set-aside ./c.lock': /c\.lock is a file of --checkpoint c/,
    }
    for (const [place, told] of Object.entries(places)) {
      const shell = `${place}; exec "$PUBSUBD" listen "$@" ${words.map((word) => `'${word}'`).join(' ')}`
      await using command = new Command({ victim: 'precious\n' }, { shell })
      assert.notEqual(await command.exit(), 7, place)
      assert.match(command.stderr, told, place)
      assert.equal(command.stdout, '', place)
      assert.equal(command.read('victim'), 'precious\n', place)
    }
  })

  test('--since and --until bring a range', async () => {
    const topic = await published(3)
    await using command = listen([`${server().url}/${topic}`, '--since', 'all', '--until', '0s'])
    assert.equal(await command.exit(), 0, command.stderr)
    assert.deepEqual(numbers(command.stdout), [0, 1, 2])
  })

  test('--where and --without narrow it', async () => {
    const topic = await published(6, (n) => (n === 4 ? '/not' : ''))
    const words = ['--since', 'all', '--until', '0s', '--where', 'n > 2', '--without', 'not']
    await using command = listen([`${server().url}/${topic}`, ...words])
    assert.equal(await command.exit(), 0, command.stderr)
    assert.deepEqual(numbers(command.stdout), [3, 5])
  })

  test('a wrong --where is told as the server tells it, with 3', async () => {
    await using command = listen([`${server().url}/a`, '--where', 'n > )'])
    assert.equal(await command.exit(), 3)
    assert.match(command.stderr, /400 Bad Request: where: unexpected '\)'/)
  })

  test('too few events within --timeout end with 5, those that came are printed', async () => {
    const topic = await published(1)
    let printed: readonly unknown[] = []
    // On a busy machine the first one may not be there yet.
    for (let seconds = 1; seconds <= 64 && printed.length === 0; seconds *= 4) {
      const words = ['--since', 'all', '--count', '2', '--timeout', `${seconds}s`]
      await using command = listen([`${server().url}/${topic}`, ...words])
      assert.equal(await command.exit(), 5)
      printed = numbers(command.stdout)
    }
    assert.deepEqual(printed, [0])
  })

  test('without --count a --timeout ends with 0', async () => {
    await using command = listen([`${server().url}/${newTopic()}`, '--timeout', '500ms'])
    assert.equal(await command.exit(), 0)
  })

  test('formats show the payload, digit by digit, or a page for people', async () => {
    const url = `${server().url}/${newTopic()}`
    const payload = '{"n":12345678901234567890,"pubsub_timestamp\\"":1,"a":{"b":[1.0]}}'
    assert.equal((await fetch(url, { method: 'PUT', body: payload })).status, 202)
    const words = [url, '--since', 'all', '--count', '1', '--format']
    await using plain = listen([...words, 'payload'])
    assert.equal(await plain.exit(), 0)
    assert.equal(plain.stdout, `${payload}\n`)
    await using pretty = listen([...words, 'pretty'])
    assert.equal(await pretty.exit(), 0)
    assert.match(pretty.stdout, /^\d{4}-\S+Z \/topic-\d+\n\{\n {2}"n": 12345678901234567890,\n/)
    assert.match(pretty.stdout, /\n {6}1\.0\n/)
  })

  describe('--exec', () => {
    test('finds the event on standard input and in the environment, never in the command', async () => {
      const topic = newTopic()
      await publish(server(), `/${topic}/$(touch%20hacked)/%00'`, { n: '$(touch hacked)' })
      await using command = listen([
        `${server().url}/${topic}`,
        '--since',
        'all',
        '--count',
        '1',
        '--exec',
        'cat; echo "$PUBSUB_PATH|$PUBSUB_TOPICS|$PUBSUB_CURSOR|$PUBSUB_TIMESTAMP"',
      ])
      assert.equal(await command.exit(), 0, command.stderr)
      const [event, variables] = command.stdout.split('\n')
      const { pubsub_cursor, pubsub_timestamp } = JSON.parse(event!) as Record<string, string>
      const path = `${topic}/$(touch hacked)/\uFFFD'`
      assert.equal(variables, `/${path}|${path}|${pubsub_cursor}|${pubsub_timestamp}`)
      assert.equal(command.read('hacked'), '')
    })

    test('the path, as it stands in a URL, leads to the same topics on another server', async () => {
      const topic = newTopic()
      const paths = ['a%3Fb%23c', 'a%2520b', 'a%0A', 'a%5Cb//c%C3%A9', '%22$HOME']
      for (const path of paths) await publish(server(), `/${topic}/${path}`, {})
      await using command = listen([
        `${server().url}/${topic}`,
        '--since',
        'all',
        '--count',
        '5',
        '--exec',
        'echo "$PUBSUB_URL_PATH"',
      ])
      assert.equal(await command.exit(), 0, command.stderr)
      assert.deepEqual(
        command.stdout.trim().split('\n'),
        paths.map((path) => `/${topic}/${path}`),
      )
    })

    test('the checkpoint moves when the command has succeeded, and the next run goes on behind it', async () => {
      const topic = await published(4)
      const words = [`${server().url}/${topic}`, '--checkpoint', 'c', '--since', 'all']
      const exec = ['--exec', 'cat c >> seen 2>/dev/null; cat >> out']
      await using first = listen([...words, '--count', '2', ...exec])
      assert.equal(await first.exit(), 0, first.stderr)
      const events = first.read('out').trim().split('\n')
      const cursors = events.map(
        (line) => (JSON.parse(line) as { pubsub_cursor: string }).pubsub_cursor,
      )
      // While the second one ran the first one's cursor was there at most.
      assert.doesNotMatch(first.read('seen'), new RegExp(cursors[1]!))
      assert.equal(first.read('c'), `${cursors[1]}\n`)
      await using second = listen([...words, '--count', '2', ...exec], { c: first.read('c') })
      assert.equal(await second.exit(), 0, second.stderr)
      assert.deepEqual(numbers(first.read('out')), [0, 1])
      assert.deepEqual(numbers(second.read('out')), [2, 3])
    })

    test('a failing command is tried again', async () => {
      const topic = await published(2)
      await using command = listen([
        `${server().url}/${topic}`,
        '--since',
        'all',
        '--count',
        '2',
        '--tries',
        '3',
        '--exec',
        'echo x >> tries; test $(wc -l < tries) -ne 1 && cat',
      ])
      assert.equal(await command.exit(), 0, command.stderr)
      assert.deepEqual(numbers(command.stdout), [0, 1])
      assert.match(
        command.stderr,
        /the command failed with exit code 1 for \/topic\S+ .*; trying again in/,
      )
    })

    test('an event whose command fails for good is set aside, as it came, and told by 7', async () => {
      const topic = await published(3)
      await using command = listen([
        `${server().url}/${topic}`,
        '--since',
        'all',
        '--count',
        '3',
        '--tries',
        '2',
        '--checkpoint',
        'c',
        '--exec',
        'read -r line; case $line in *\'"n":1\'*) kill -9 $$;; esac; echo "$line"',
      ])
      assert.equal(await command.exit(), 7)
      assert.deepEqual(numbers(command.stdout), [0, 2])
      assert.deepEqual(numbers(command.read('c.failed')), [1])
      assert.match(command.stderr, /was ended by SIGKILL .* set aside in c\.failed/)
      assert.equal(
        command.read('c').trim(),
        JSON.parse(command.stdout.split('\n')[1]!).pubsub_cursor,
      )
    })

    test('with nowhere to set it aside it ends with 7', async () => {
      const topic = await published(2)
      const words = ['--since', 'all', '--tries', '1', '--exec', 'exit 3']
      await using command = listen([`${server().url}/${topic}`, ...words])
      assert.equal(await command.exit(), 7)
      assert.equal(command.stderr.match(/failed with exit code 3/g)!.length, 1)
    })

    test('with --jobs commands run at once, those of the same topics in order', async () => {
      const topic = await published(8, (n) => `/${n % 2 === 0 ? 'even' : 'odd'}`)
      // Each even one waits for the odd one behind it, so one at a time would never end.
      const wait = 'until test -e "$1"; do sleep 0.01; done'
      const script = `n=$(grep -o '"n":[0-9]*' | cut -d: -f2)
        wait_for() { ${wait}; }
        test $((n % 2)) = 1 || wait_for done$((n + 1))
        echo $n >> out; touch done$n`
      await using command = listen([
        `${server().url}/${topic}`,
        '--since',
        'all',
        '--count',
        '8',
        '--jobs',
        '2',
        '--exec',
        script,
      ])
      assert.equal(await command.exit(), 0, command.stderr)
      const order = command.read('out').trim().split('\n').map(Number)
      assert.deepEqual(
        order.filter((n) => n % 2 === 0),
        [0, 2, 4, 6],
      )
      assert.deepEqual(
        order.filter((n) => n % 2 === 1),
        [1, 3, 5, 7],
      )
    })

    test('SIGTERM lets the running command finish, and the checkpoint tells it', async () => {
      const topic = await published(150)
      await using command = listen([
        `${server().url}/${topic}`,
        '--since',
        'all',
        '--checkpoint',
        'c',
        '--exec',
        'echo > begun; until test -e go; do sleep 0.01; done; cat',
      ])
      while (command.read('begun') === '') await new Promise((resolve) => setTimeout(resolve, 20))
      command.child.kill('SIGTERM')
      await command.printed(/ends when the commands that run are done/) // another thread may take the signal, and be late
      command.write('go', '')
      assert.equal(await command.exit(), 143)
      assert.deepEqual(numbers(command.stdout), [0])
      assert.equal(command.read('c').trim(), JSON.parse(command.stdout).pubsub_cursor)
    })
  })

  test('what the query of the URL says counts as its option', async () => {
    const topic = await published(4)
    await using command = listen([`${server().url}/${topic}?since=all&where=n%3E1&count=2`])
    assert.equal(await command.exit(), 0, command.stderr)
    assert.deepEqual(numbers(command.stdout), [2, 3])
  })

  test('a cursor of another log is told as a gap, and by 6 if asked for', async () => {
    const topic = await published(1)
    const cursor = ['--cursor', '4d870a6f-8ec8-4f25-98ee-bd867ea0b201', '--count', '1']
    await using command = listen([`${server().url}/${topic}`, ...cursor])
    assert.equal(await command.exit(), 0)
    assert.match(command.stderr, /gap: the cursor is not of this log/)
    assert.deepEqual(numbers(command.stdout), [0])
    await using strict = listen([`${server().url}/${topic}`, ...cursor, '--on-gap', 'fail'])
    assert.equal(await strict.exit(), 6)
    assert.equal(strict.stdout, '')
  })

  test('a connection that is cut is taken up where it was', async () => {
    const topic = newTopic()
    await using proxy = await CuttableProxy.to(server().port)
    const url = `http://127.0.0.1:${proxy.port}/${topic}`
    await using command = listen([url, '--count', '3', '--checkpoint', 'c'])
    while (command.read('c') === '') await new Promise((resolve) => setTimeout(resolve, 20))
    await publish(server(), `/${topic}`, { n: 1 })
    await command.printed(/"n":1/)
    proxy.cut()
    await publish(server(), `/${topic}`, { n: 2 })
    proxy.goOn()
    await publish(server(), `/${topic}`, { n: 3 })
    assert.equal(await command.exit(), 0, command.stderr)
    assert.deepEqual(numbers(command.stdout), [1, 2, 3])
    assert.match(command.stderr, /; trying again in \d/)
    assert.match(command.stderr, /connected again/)
    assert.doesNotMatch(command.stderr, /gap/)
  })

  test('private events come to who may see them', async () => {
    const topic = newTopic()
    await publish(server(), `/private/fruits/${topic}`, { n: 1 })
    const words = [`${server().url}/${topic}`, '--since', 'all', '--until', '0s']
    await using alice = listen([...words, '--user', 'alice:wonder:land'])
    assert.equal(await alice.exit(), 0, alice.stderr)
    assert.deepEqual(numbers(alice.stdout), [1])
    await using nobody = listen(words)
    assert.equal(await nobody.exit(), 0)
    assert.deepEqual(numbers(nobody.stdout), [])
  })

  test('a reader that leaves ends it quietly', async () => {
    const topic = await published(1)
    const url = `${server().url}/${topic}`
    const shell = `exec "$PUBSUBD" listen ${url} --since all`
    await using command = new Command({}, { shell })
    await command.printed(/"n":0/)
    command.child.stdout!.destroy()
    await publish(server(), `/${topic}`, { n: 1 })
    assert.equal(await command.exit(), 0)
    assert.equal(command.stderr, '')
  })

  test('what is no stream of ours is told with 3', async () => {
    await using command = listen([`${server().url}/-/healthz`])
    assert.equal(await command.exit(), 3)
  })

  for (const [words, message] of [
    [[], /name the URL/],
    [['http://a/b', '--format', 'xml'], /--format is json, payload, pretty, line, not "xml"/],
    [['http://a/b', '--on-gap', 'x'], /--on-gap is oldest, live, fail/],
    [['http://a/b', '--jobs', '2'], /--jobs is about commands/],
    [['http://a/b', '--timeout', '30d'], /--timeout takes a duration such as .*at most 24d/],
    [['http://a/b', 'more'], /unexpected "more"/],
    [['http://a/b', '--checkpoint', ''], /--checkpoint is empty: give it a value, or leave it out/],
    [['http://a/b', '--checkpoint', 'missing/file'], /--checkpoint cannot be written: ENOENT/],
    [['http://a/b', '--checkpoint', '/dev/null/file'], /--checkpoint cannot be written: ENOTDIR/],
    [['http://a/b', '--cursor', 'ü'], /--cursor has 1 to 255 visible characters/],
  ] as const)
    test(`"listen ${words.join(' ')}" is a wrong usage`, async () => {
      await using command = listen(words)
      assert.equal(await command.exit(), 2)
      assert.match(command.stderr, message)
      assert.match(command.stderr, /Try pubsubd listen --help\.\n$/)
    })

  test('a file that is no checkpoint is left alone', async () => {
    await using command = listen(['http://a/b', '--checkpoint', 'c'], { c: 'two words\n' })
    assert.equal(await command.exit(), 1)
    assert.match(command.stderr, /c holds no cursor; is it a checkpoint\?/)
    assert.equal(command.read('c'), 'two words\n')
  })
})

test('without a server it ends with 4 after --retry-for', async () => {
  const server = await startServer({ config: 'server: {bind: 127.0.0.1, port: 0}\nclients: {}\n' })
  const { url } = server
  await server[Symbol.asyncDispose]()
  await using command = listen([`${url}/a`, '--retry-for', '1s'])
  assert.equal(await command.exit(), 4)
  assert.match(command.stderr, /ECONNREFUSED/)
})

function onTerminal(command: string): Command {
  const shell = `exec script -qec '"$PUBSUBD" ${command}' /dev/null`
  return new Command({}, { shell }, { input: 'open', environment: { TERM: 'dumb' } })
}

describe('on a terminal', AT_ONCE, () => {
  const server = sharedServer()

  test('a status line says how it goes, and Ctrl-C ends it in good order, running command included', async () => {
    const topic = newTopic()
    for (const n of [1, 2]) await publish(server(), `/${topic}`, { n })
    const exec =
      'touch begun$PUBSUB_CURSOR; until test -e go; do sleep 0.01; done; echo end >> ends'
    await using command = onTerminal(
      `listen ${server().url}/${topic} --since all --checkpoint c --exec "${exec.replaceAll('$', String.raw`\$`)}"`,
    )
    await command.printed(/listening to 127\.0\.0\.1:\d+\/\S+, 2 events, 1 running/)
    const before = command.read('c')
    command.child.stdin!.write('\u0003')
    await command.printed(/a second signal ends them/)
    command.write('go', '')
    assert.equal(await command.exit(), 130)
    assert.equal(command.read('ends'), 'end\n')
    assert.notEqual(command.read('c'), before)
  })

  test('a second Ctrl-C ends the command, too', async () => {
    const topic = newTopic()
    await publish(server(), `/${topic}`, { n: 1 })
    await using command = onTerminal(
      `listen ${server().url}/${topic} --since all --exec "echo pid=\\$\\$; exec sleep 1000"`,
    )
    const [, pid] = await command.printed(/pid=(\d+)/)
    command.child.stdin!.write('\u0003')
    await command.printed(/a second signal ends them/)
    command.child.stdin!.write('\u0003')
    assert.equal(await command.exit(), 130)
    // The process group is told before we go; its end is not ours to wait for.
    while (isRunning(Number(pid))) await new Promise((resolve) => setTimeout(resolve, 20))
  })

  test('what events say cannot move the cursor', async () => {
    const topic = newTopic()
    const text = '\u009b2J\u202e\u2028'
    await publish(server(), `/${topic}`, { text })
    const words = `listen ${server().url}/${topic} --since all --count 1`
    await using shown = onTerminal(words)
    assert.equal(await shown.exit(), 0)
    assert.match(shown.stdout, /text="\\u009b2J\\u202e\\u2028"/)
    await using command = onTerminal(`${words} --format json`)
    assert.equal(await command.exit(), 0)
    const [line] = /\{"text".*\}/.exec(command.stdout)!
    assert.match(line, /\\u009b2J\\u202e\\u2028/)
    assert.equal((JSON.parse(line) as { text: string }).text, text)
  })
})

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
