import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { DEADLINE_MS } from '../deadline.ts'
import { OutgoingDns } from '../../src/outgoing/outgoing-dns.ts'
import { OutgoingPolicy } from '../../src/outgoing/outgoing-policy.ts'

const A = 1
const AAAA = 28

/** Answers A and AAAA questions from a table, addresses in hexadecimal; to a name that is not in it, never. */
async function serveNames(table: Readonly<Record<string, Readonly<Record<number, string>>>>) {
  const socket = createSocket('udp4')
  const asked: string[] = []
  socket.on('message', (question, from) => {
    const labels: string[] = []
    let at = 12
    for (let length = question[at]!; length > 0; length = question[at]!) {
      labels.push(question.subarray(at + 1, at + 1 + length).toString())
      at += 1 + length
    }
    const name = labels.join('.').toLowerCase()
    asked.push(name)
    const types = table[name]
    if (types === undefined) return
    const type = question.readUInt16BE(at + 1)
    const address = types[type]
    const head = Buffer.from(question.subarray(0, at + 5))
    head.writeUInt16BE(Object.keys(types).length === 0 ? 0x81_83 : 0x81_80, 2) // NXDOMAIN or no error
    head.writeUInt16BE(address === undefined ? 0 : 1, 6)
    head.fill(0, 8, 12)
    const answer = Buffer.alloc(address === undefined ? 0 : 12 + address.length / 2)
    if (address !== undefined) {
      answer.writeUInt16BE(0xc0_0c, 0)
      answer.writeUInt16BE(type, 2)
      answer.writeUInt16BE(1, 4)
      answer.writeUInt16BE(address.length / 2, 10)
      answer.write(address, 12, 'hex')
    }
    socket.send(Buffer.concat([head, answer]), from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    server: `127.0.0.1:${socket.address().port}`,
    asked,
    [Symbol.dispose]: () => void socket.close(),
  }
}

function openDns(server: string, ...allow: string[]) {
  const policy = new OutgoingPolicy({ allow, setting: 'webhooks.allow' })
  const dns = new OutgoingDns(policy, [server])
  return { dns, [Symbol.dispose]: () => dns.close() }
}

const deadline = { timeout: DEADLINE_MS }

test('a name has the addresses that DNS gives it, of either family', deadline, async () => {
  using names = await serveNames({
    'both.example': { [A]: '01020304', [AAAA]: '26064700000000000000000000001111' },
    'four.example': { [A]: '0a000001' },
    'six.example': { [AAAA]: '00000000000000000000000000000001' },
  })
  using open = openDns(names.server)
  assert.deepEqual(await open.dns.addresses('both.example', 80), ['1.2.3.4', '2606:4700::1111'])
  assert.deepEqual(await open.dns.addresses('four.example', 80), ['10.0.0.1'])
  assert.deepEqual(await open.dns.addresses('six.example.', 80), ['::1'])
})

test('a name that DNS does not have is an error with its code', deadline, async () => {
  using names = await serveNames({ 'no.example': {} })
  using open = openDns(names.server)
  await assert.rejects(open.dns.addresses('no.example', 80), { code: 'ENOTFOUND' })
})

test('a name server that never answers is given up', deadline, async () => {
  using names = await serveNames({})
  using open = openDns(names.server)
  await assert.rejects(open.dns.addresses('silent.example', 80), { code: 'ETIMEOUT' })
})

test('closing ends what is under way', deadline, async () => {
  using names = await serveNames({})
  using open = openDns(names.server)
  const ended = assert.rejects(open.dns.addresses('silent.example', 80), { code: 'ECANCELLED' })
  open.dns.close()
  await ended
})

test(
  'DNS is not asked for localhost, nor for a name that the operator named',
  deadline,
  async () => {
    using names = await serveNames({})
    using open = openDns(names.server)
    assert.deepEqual(await open.dns.addresses('localhost', 80), ['127.0.0.1', '::1'])
    assert.deepEqual(await open.dns.addresses('a.localhost.', 80), ['127.0.0.1', '::1'])
    using named = openDns(names.server, 'localhost:80')
    const found = await named.dns.addresses('localhost', 80)
    assert.ok(found.includes('127.0.0.1') || found.includes('::1'), String(found))
    using unknown = openDns(names.server, 'named.invalid')
    await assert.rejects(unknown.dns.addresses('named.invalid', 80), { syscall: 'getaddrinfo' })
    assert.deepEqual(names.asked, [])
  },
)
