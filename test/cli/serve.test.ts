import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { connect } from 'node:tls'
import { FIRST, SECOND } from '../config/certificates.ts'
import { RawClient } from '../http/raw-client.ts'
import { basic, get, put } from '../http/requests.ts'
import { Command, PROJECT } from './command.ts'

const CONFIG = `
server: {bind: 127.0.0.1, port: 0}
clients: {payloaders: [127.0.0.1], bad_credentials: reject}
`
const ACL = `
alice: {password: wonderland, acl: {fruit: [fruits]}}
`
/** Each test is a process of its own that mostly starts and stops. */
const AT_ONCE = { concurrency: 4 }

const FILES = { 'pubsub.yaml': CONFIG, 'pubsub_acl.yaml': ACL }

const { version } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as {
  version: string
}

async function statusOf(port: number, bytes: Uint8Array): Promise<number> {
  await using client = await RawClient.open(port)
  client.send(bytes)
  return (await client.head()).status
}

describe('arguments', AT_ONCE, () => {
  for (const flag of ['--help', '-h'])
    test(`${flag} explains them`, async () => {
      await using command = new Command({}, [flag])
      assert.equal(await command.exit(), 0)
      for (const word of ['--config FILE', '--acl FILE', '--help', '--version', 'SIGHUP'])
        assert.ok(command.stdout.includes(word), word)
      assert.equal(command.stderr, '')
    })

  test('--version tells the version', async () => {
    await using command = new Command({}, ['--version'])
    assert.equal(await command.exit(), 0)
    assert.equal(command.stdout, `pubsubd ${version}\n`)
  })

  for (const words of [
    ['--prot', '80'],
    ['--port'],
    ['--config', ''],
    ['--acl='],
    ['serv'],
    ['serve', 'x'],
  ])
    test(`"${words.join(' ')}" is refused with a hint, and nothing is started`, async () => {
      await using command = new Command(FILES, words)
      assert.equal(await command.exit(), 2)
      assert.equal(command.stdout, '')
      assert.match(command.stderr, /Try pubsubd --help\.\n$/)
      assert.doesNotMatch(command.stderr, /^ +at /m)
    })

  test('without any the files of the usual names are read', async () => {
    await using command = new Command(FILES, [])
    const port = await command.port()
    assert.equal(await statusOf(port, put('/a', '{}')), 202)
    assert.equal(await statusOf(port, get('/', basic('alice', 'wonderland'))), 200)
  })

  test('--config and --acl name other files', async () => {
    const files = { 'a b.yaml': CONFIG, 'c.yaml': ACL, 'pubsub.yaml': '{', 'pubsub_acl.yaml': '{' }
    await using command = new Command(files, ['--config', 'a b.yaml', '--acl=c.yaml'])
    const port = await command.port()
    assert.equal(await statusOf(port, get('/', basic('alice', 'wonderland'))), 200)
  })
})

describe('a start that fails says why, without a stack, and exits with 1', AT_ONCE, () => {
  const broken: Readonly<Record<string, readonly [Readonly<Record<string, string>>, RegExp]>> = {
    'no settings': [{}, /error .*pubsub\.yaml.*\n/],
    'settings that are no YAML': [
      { 'pubsub.yaml': 'server:\n  port: 0\n bind: x\n' },
      /error pubsub\.yaml, line 3/,
    ],
    'a setting of a wrong type': [
      { 'pubsub.yaml': 'clients: {}\nserver:\n  port: many\n' },
      /error pubsub\.yaml, line 3, column \d+: server\.port/,
    ],
    'no clients section': [{ 'pubsub.yaml': 'server: {port: 0}\n' }, /error .*clients/],
    'users that are no YAML': [
      { 'pubsub.yaml': CONFIG, 'pubsub_acl.yaml': 'alice:\n  password: a\n b: c\n' },
      /error pubsub_acl\.yaml, line 3/,
    ],
    'a certificate that is not there': [
      {
        'pubsub.yaml':
          'clients: {}\nserver: {port: 0, tls: {port: 0, cert: none.pem, key: none.pem}}\n',
      },
      /error .*server\.tls\.cert.*none\.pem/,
    ],
    'a pid file that cannot be written': [
      { 'pubsub.yaml': 'clients: {}\nserver: {port: 0, pid_file: none/pid}\n' },
      /error .*none\/pid/,
    ],
  }
  for (const [what, [files, message]] of Object.entries(broken))
    test(what, async () => {
      await using command = new Command(files, [])
      assert.equal(await command.exit(), 1)
      assert.match(command.stderr, message)
      assert.doesNotMatch(command.output, /^ +at /m)
      assert.doesNotMatch(command.stdout, /listening/)
    })
})

describe('a start that only warns', AT_ONCE, () => {
  test('an unknown key is told with the nearest right one', async () => {
    const config = CONFIG.replace('payloaders', 'payloader')
    await using command = new Command({ ...FILES, 'pubsub.yaml': config }, [])
    const port = await command.port()
    assert.match(
      command.stderr,
      /warn pubsub\.yaml: .*clients\.payloader .*did you mean clients\.payloaders/,
    )
    assert.equal(await statusOf(port, put('/a', '{}')), 403)
  })

  test('without a file of users nobody logs in', async () => {
    await using command = new Command({ 'pubsub.yaml': CONFIG }, [])
    const port = await command.port()
    assert.match(command.stderr, /warn pubsub_acl\.yaml does not exist/)
    assert.equal(await statusOf(port, get('/', basic('alice', 'wonderland'))), 401)
    assert.equal(await statusOf(port, get('/')), 200)
  })

  test('few open files are told', async () => {
    await using command = new Command(FILES, { shell: 'ulimit -n 500; exec "$PUBSUBD"' })
    await command.port()
    assert.match(command.stderr, /warn at most 500 open files leave room for \d+ connections/)
  })
})

test('what is published or asked for cannot write lines of its own into the log', async () => {
  await using command = new Command(FILES, [])
  const port = await command.port()
  assert.equal(await statusOf(port, put('/%0Aforged%1b[2J', '{"a": "\\n"}')), 202)
  assert.equal(await statusOf(port, get('/%0Aforged', basic('a\nforged', 'b'))), 401)
  await command.reload('SIGHUP', /again/)
  assert.doesNotMatch(command.output, /^forged/m)
})

describe('server.pid_file', AT_ONCE, () => {
  const config = CONFIG.replace('port: 0', 'port: 0, pid_file: pid')

  test('it holds the process id while the server runs', async () => {
    await using command = new Command({ ...FILES, 'pubsub.yaml': config }, [])
    await command.port()
    const file = join(command.directory, 'pid')
    assert.equal(readFileSync(file, 'utf8'), `${command.child.pid}\n`)
    assert.match(command.stdout, new RegExp(`pid ${command.child.pid},`))
    command.child.kill('SIGTERM')
    assert.equal(await command.exit(), 0)
    assert.equal(existsSync(file), false)
  })

  test("it is the owner's alone, a symbolic link is refused, and that of another server is left", async () => {
    await using command = new Command({ ...FILES, 'pubsub.yaml': config }, [])
    await command.port()
    const file = join(command.directory, 'pid')
    assert.equal(statSync(file).mode & 0o777, 0o600)
    writeFileSync(file, '1\n')
    command.child.kill('SIGTERM')
    assert.equal(await command.exit(), 0)
    assert.equal(readFileSync(file, 'utf8'), '1\n')
    rmSync(file)
    symlinkSync('victim', file)
    command.write('victim', 'precious')
    await using second = new Command({}, { shell: 'exec "$PUBSUBD"', in: command.directory })
    assert.equal(await second.exit(), 1)
    assert.match(
      second.stderr,
      /error pubsub\.yaml, line 2, column \d+: server\.pid_file cannot be written: pid is a symbolic link/,
    )
    assert.equal(readFileSync(join(command.directory, 'victim'), 'utf8'), 'precious')
  })

  test('a server that cannot start leaves that of the running one alone', async () => {
    await using running = new Command({ ...FILES, 'pubsub.yaml': config }, [])
    const port = await running.port()
    running.write('same-port.yaml', config.replace('port: 0', `port: ${port}`))
    await using second = new Command(
      {},
      {
        shell: 'exec "$PUBSUBD" --config same-port.yaml',
        in: running.directory,
      },
    )
    assert.equal(await second.exit(), 1)
    assert.match(second.stderr, /error .*EADDRINUSE/)
    assert.equal(readFileSync(join(running.directory, 'pid'), 'utf8'), `${running.child.pid}\n`)
  })
})

describe('a reload', AT_ONCE, () => {
  for (const signal of ['SIGUSR2', 'SIGHUP'] as const)
    test(`${signal} reads the users again`, async () => {
      await using command = new Command(FILES, [])
      const port = await command.port()
      command.write('pubsub_acl.yaml', 'bob: {password: builder}\n')
      assert.match(
        await command.reload(signal, /again/),
        /info read pubsub_acl\.yaml again: 1 user/,
      )
      assert.equal(await statusOf(port, get('/', basic('bob', 'builder'))), 200)
      assert.equal(await statusOf(port, get('/', basic('alice', 'wonderland'))), 401)
      command.write('pubsub_acl.yaml', '# nobody\n')
      await command.reload(signal, /again: 0 users/)
      assert.equal(await statusOf(port, get('/', basic('bob', 'builder'))), 401)
    })

  test('a broken file changes nothing, says which line is wrong, and can be mended', async () => {
    await using command = new Command(FILES, [])
    const port = await command.port()
    for (const [text, line] of [
      ['bob:\n  password: b\n oops: x\n', 3],
      ['bob: {password: [}\n', 1],
      ['- bob\n', 1],
    ] as const) {
      command.write('pubsub_acl.yaml', text)
      const told = await command.reload('SIGUSR2', /\n/)
      assert.match(told, new RegExp(`error pubsub_acl\\.yaml, line ${line}\\b`))
      assert.match(told, /The rights stay as they were\n/)
      assert.equal(await statusOf(port, get('/', basic('alice', 'wonderland'))), 200)
    }
    command.write('pubsub_acl.yaml', 'bob: {password: builder}\n')
    await command.reload('SIGUSR2', /again: 1 user/)
    assert.equal(await statusOf(port, get('/', basic('bob', 'builder'))), 200)
  })

  test('a file that is not there changes nothing', async () => {
    await using command = new Command(FILES, [])
    const port = await command.port()
    rmSync(join(command.directory, 'pubsub_acl.yaml'))
    const told = await command.reload('SIGUSR2', /\n/)
    assert.match(told, /error pubsub_acl\.yaml does not exist\. The rights stay as they were\n/)
    assert.equal(await statusOf(port, get('/', basic('alice', 'wonderland'))), 200)
  })

  test('a user with a broken entry has no rights, and the others are unaffected', async () => {
    await using command = new Command(FILES, [])
    const port = await command.port()
    command.write('pubsub_acl.yaml', `${ACL}bob: {password: b, acl: [fruits]}\n`)
    const told = await command.reload('SIGUSR2', /again[^]*bob|bob[^]*again/)
    assert.match(told, /warn pubsub_acl\.yaml, line 3, column 20: .*bob/)
    assert.equal(await statusOf(port, get('/', basic('alice', 'wonderland'))), 200)
  })
})

describe('a reload of the settings', AT_ONCE, () => {
  test('takes over who may publish, and says what counts from the next start on only, each time', async () => {
    await using command = new Command(FILES, [])
    const port = await command.port()
    assert.equal(await statusOf(port, put('/a', '{}')), 202)
    const other = CONFIG.replace('[127.0.0.1]', '[10.0.0.1]').replace('port: 0', 'port: 9')
    command.write('pubsub.yaml', `${other}limits: {topics: 7}\n`)
    const told = await command.reload('SIGHUP', /changed\n[^]*next start on/)
    assert.match(told, /info read pubsub\.yaml again: clients\.payloaders changed\n/)
    assert.match(
      told,
      /warn pubsub\.yaml: what has changed of server\.port, limits\.topics counts from the next start on/,
    )
    assert.equal(await statusOf(port, put('/a', '{}')), 403)
    const again = await command.reload('SIGHUP', /next start on/)
    assert.doesNotMatch(again, /payloaders changed/)
  })

  test('of a broken file changes nothing, and the users are read nevertheless', async () => {
    await using command = new Command(FILES, [])
    const port = await command.port()
    command.write('pubsub.yaml', CONFIG.replace('port: 0', 'port: many'))
    command.write('pubsub_acl.yaml', 'bob: {password: builder}\n')
    const told = await command.reload('SIGUSR2', /settings stay/)
    assert.match(
      told,
      /error pubsub\.yaml, line 2, column \d+: server\.port must be .*\. The settings stay as they were/,
    )
    assert.equal(await statusOf(port, get('/', basic('bob', 'builder'))), 200)
    assert.equal(await statusOf(port, put('/a', '{}')), 202)
  })

  test('of an address that is none changes nothing', async () => {
    await using command = new Command(FILES, [])
    const port = await command.port()
    command.write('pubsub.yaml', CONFIG.replace('[127.0.0.1]', '[10.0.0.1, 10.0.0.300]'))
    assert.match(await command.reload('SIGHUP', /settings stay/), /10\.0\.0\.300/)
    assert.equal(await statusOf(port, put('/a', '{}')), 202)
  })

  test('serves a renewed certificate to who connects from then on', async () => {
    const config = CONFIG.replace(
      'port: 0',
      'port: 0, tls: {port: 0, cert: cert.pem, key: key.pem}',
    )
    const files = { ...FILES, 'pubsub.yaml': config }
    const pem = { 'cert.pem': FIRST.certPem, 'key.pem': FIRST.keyPem }
    await using command = new Command({ ...files, ...pem }, [])
    await command.port()
    const [, port] = await command.printed(/listening on https:\S+:(\d+)\n/)
    assert.equal(
      await certificateAt(Number(port)),
      new X509Certificate(FIRST.certPem).fingerprint256,
    )
    command.write('cert.pem', SECOND.certPem)
    assert.match(
      await command.reload('SIGHUP', /settings stay/),
      /does not belong to the certificate/,
    )
    command.write('key.pem', SECOND.keyPem)
    await command.reload('SIGHUP', /server\.tls\.cert changed/)
    assert.equal(
      await certificateAt(Number(port)),
      new X509Certificate(SECOND.certPem).fingerprint256,
    )
  })
})

async function certificateAt(port: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const { fingerprint256 } = socket.getPeerCertificate()
  socket.destroy()
  return fingerprint256
}

describe('a start that the system does not let be', AT_ONCE, () => {
  const refused: Readonly<Record<string, readonly [words: string, RegExp]>> = {
    'an address of another machine': [
      '--bind 192.0.2.1',
      /error --bind: server\.bind 192\.0\.2\.1 cannot be listened on: .*EADDRNOTAVAIL.*no address of this machine/,
    ],
    'a name that is none': [
      '--bind no.such.host.invalid',
      /error --bind: server\.bind .*(ENOTFOUND|EAI_AGAIN)/,
    ],
    'a store where none can be made': [
      '--store /proc/pubsubd/store',
      /error --store: server\.backlog\.storage cannot be used: .*\/proc\/pubsubd.*ENOENT.*make the directory/,
    ],
    'a store below a file': [
      '--store pubsub.yaml/store',
      /error --store: server\.backlog\.storage cannot be used: .*ENOTDIR.*Part of the path is a file/,
    ],
    'a log of a kind that is none': [
      '--log-level loud',
      /error --log-level: log\.level must be info or warn or error/,
    ],
  }
  for (const [what, [words, message]] of Object.entries(refused))
    test(`${what}: one sentence says what is wrong, where, and what helps`, async () => {
      await using command = new Command({ ...FILES }, [
        '--config',
        'pubsub.yaml',
        ...words.split(' '),
      ])
      assert.equal(await command.exit(), 1)
      assert.match(command.stderr, message)
      assert.equal(command.stderr.match(/ error /g)?.length, 1)
      assert.doesNotMatch(command.output, /^ +at |listening/m)
    })

  test('a port that is taken is named, with where it is set', async () => {
    await using taken = new Command(FILES, [])
    const port = await taken.port()
    await using command = new Command(FILES, [`--port=${port}`])
    assert.equal(await command.exit(), 1)
    assert.match(
      command.stderr,
      new RegExp(`error --port: server\\.port ${port} cannot be listened on: .*ss -ltnp`),
    )
  })

  test('without any file it says how to have one, and names the one of PyPubSub', async () => {
    await using command = new Command({ 'pypubsub.yaml': CONFIG }, [])
    assert.equal(await command.exit(), 1)
    assert.match(
      command.stderr,
      /error there is no \S+pubsub\.yaml: \S*pypubsub\.yaml is there.*--config/,
    )
  })
})

describe('a start without files', AT_ONCE, () => {
  for (const [how, words, environment] of [
    [
      'flags',
      ['--port', '0', '--bind', '127.0.0.1', '--publishers', '127.0.0.1', '--store', 'events'],
      {},
    ],
    [
      'variables',
      ['serve'],
      {
        PUBSUBD_PORT: '0',
        PUBSUBD_BIND: '127.0.0.1',
        PUBSUBD_PUBLISHERS: '127.0.0.1',
        PUBSUBD_STORE: 'events.pubsubd',
      },
    ],
  ] as const)
    test(`by ${how}: it publishes, keeps, and says what it works with`, async () => {
      await using command = new Command({}, words, { environment })
      const port = await command.port()
      assert.match(
        command.stdout,
        /info settings of no file, no users of a file; events are kept in \S+events\.pubsubd\n/,
      )
      assert.equal(await statusOf(port, put('/a', '{}')), 202)
      assert.ok(existsSync(join(command.directory, 'events.pubsubd/events.db')))
    })
})

test('a log whose reader has gone ends nothing', async () => {
  await using command = new Command(FILES, [])
  const port = await command.port()
  command.child.stdout!.destroy()
  command.child.stderr!.destroy()
  for (let times = 0; times < 20; times++) {
    command.child.kill('SIGHUP')
    assert.equal(await statusOf(port, put('/a', '{}')), 202)
  }
  command.child.kill('SIGTERM')
  assert.equal(await command.exit(), 0)
})

describe('commands', AT_ONCE, () => {
  test('help and version are commands, too, and help tells of one', async () => {
    for (const [words, expected] of [
      [['help'], /^pubsubd \S+: publish and stream[^]*Usage:/],
      [['version'], /^pubsubd \d+\.\d+\.\d+\n$/],
      [['help', 'publish'], /^pubsubd publish: /],
      [['help', 'log'], /^pubsubd log: /],
      [['serve', '--help'], /^pubsubd \S+: publish and stream/],
    ] as const) {
      await using command = new Command({}, words)
      assert.equal(await command.exit(), 0, words.join(' '))
      assert.match(command.stdout, expected)
    }
  })

  test('for a wrong command or option the nearest right one is named', async () => {
    for (const [words, expected] of [
      [['lisen', 'http://h/'], /^pubsubd: there is no command "lisen", did you mean listen\?\n/],
      [['--prot', '1'], /^pubsubd: there is no option --prot, did you mean --port\?\n/],
      [
        ['publish', '--topik', 'x'],
        /^pubsubd publish: there is no option --topik, did you mean --topic\?\n/,
      ],
      [['log', 'inf'], /^pubsubd log: there is no command "inf", did you mean info\?\n/],
      [['qqqqqqq'], /^pubsubd: there is no command "qqqqqqq"\n/],
    ] as const) {
      await using command = new Command({}, words)
      assert.equal(await command.exit(), 2, words.join(' '))
      assert.match(command.stderr, expected)
    }
  })
})

describe('signals', AT_ONCE, () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    test(`${signal} to npm start reaches the server`, async () => {
      await using command = new Command(FILES, {
        shell:
          'exec npm start -- --config {directory}/pubsub.yaml --acl {directory}/pubsub_acl.yaml',
        in: PROJECT,
      })
      const port = await command.port()
      assert.equal(await statusOf(port, get('/', basic('alice', 'wonderland'))), 200)
      await using stream = await RawClient.open(port)
      stream.send(get('/?since=1ms'))
      await stream.head()
      await stream.line()
      command.child.kill(signal)
      assert.equal((await stream.line()).json.closing.reason, 'shutdown')
      await command.exit()
      await assert.rejects(RawClient.open(port), { code: 'ECONNREFUSED' })
      assert.match(command.stdout, new RegExp(`${signal}: stopping`))
    })

  test('a second one while it stops changes nothing', async () => {
    await using command = new Command(FILES, [])
    const port = await command.port()
    await using _stream = await RawClient.open(port)
    command.child.kill('SIGTERM')
    await command.printed(/stopping/)
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const)
      command.child.kill(signal)
    assert.equal(await command.exit(), 0)
  })

  test('SIGUSR1 does not open an inspector', async () => {
    await using command = new Command(FILES, [])
    await command.port()
    command.child.kill('SIGUSR1')
    await command.reload('SIGHUP', /again/) // so it has passed that
    assert.doesNotMatch(command.output, /Debugger|inspector/i)
  })
})
