import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encoded } from '../../../src/protocols/jetblack/encoder.ts'
import {
  ProtocolError,
  type ClientMessage,
  type Data,
  type ServerMessage,
  type Wire,
} from '../../../src/protocols/jetblack/messages.ts'
import { Parser } from '../../../src/protocols/jetblack/parser.ts'
import { VECTORS, wireOf, type Vector } from './vectors.ts'

function parserFor(wire: Wire, asksForLogin = false): Parser {
  const asksFor = asksForLogin ? 'password' : 'nothing'
  return new Parser({ wire, messageBytesMax: 1_000_000, asksFor })
}

/** All messages of these pieces; at the end nothing follows for a while. */
function messagesOf(wire: Wire, pieces: readonly Buffer[]): ClientMessage[] {
  const parser = parserFor(wire)
  const messages: ClientMessage[] = []
  for (const piece of pieces) {
    parser.push(piece)
    for (let next = parser.next(); next !== null; next = parser.next()) messages.push(next)
  }
  const last = parser.awaitsSilence ? parser.endSilence() : null
  if (last !== null) messages.push(last)
  assert.equal(parser.isInMessage, false)
  return messages
}

const OF_CLIENTS = VECTORS.filter(
  ({ type, direction, malformed }) =>
    typeof type === 'number' && direction === 'client->server' && malformed !== true,
)
const OF_SERVERS = VECTORS.filter(
  ({ type, direction }) => typeof type === 'number' && direction === 'server->client',
)

test('what clients send is read as its libraries mean it, wherever it is cut', () => {
  assert.ok(OF_CLIENTS.length > 40)
  for (const vector of OF_CLIENTS) {
    const bytes = Buffer.from(vector.encoded_hex, 'hex')
    const wire = wireOf(vector)
    const expected = [meantBy(vector)]
    assert.deepEqual(messagesOf(wire, [bytes]), expected, vector.name)
    for (let at = 1; at < bytes.length; at++)
      assert.deepEqual(
        messagesOf(wire, [bytes.subarray(0, at), bytes.subarray(at)]),
        expected,
        `${vector.name}, cut at ${at}`,
      )
    const single = Array.from(bytes, (byte) => Buffer.of(byte))
    assert.deepEqual(messagesOf(wire, single), expected, `${vector.name}, byte by byte`)
  }
})

test('the wire of a connection shows in its first data message, whatever its port is', () => {
  for (const vector of OF_CLIENTS) {
    if (vector.type !== 1 && vector.type !== 2) continue
    const parser = parserFor(wireOf(vector) === 'is-image' ? 'content-type' : 'is-image')
    parser.push(Buffer.from(vector.encoded_hex, 'hex'))
    const message = parser.next() ?? parser.endSilence()
    assert.deepEqual(message, meantBy(vector), vector.name)
    assert.equal(parser.wire, wireOf(vector), vector.name)
  }
})

test('what the server sends is to the byte what the libraries read', () => {
  assert.ok(OF_SERVERS.length > 15)
  for (const vector of OF_SERVERS) {
    const bytes = encoded(sentBy(vector), wireOf(vector))
    assert.equal(bytes.toString('hex'), vector.encoded_hex, vector.name)
  }
})

test('texts whose length counts characters end the connection, or wait for more', () => {
  for (const vector of VECTORS) {
    if (vector.malformed !== true || vector.type === 'handshake') continue
    const parser = parserFor(wireOf(vector))
    parser.push(Buffer.from(vector.encoded_hex, 'hex'))
    try {
      while (parser.next() !== null);
      // What stands behind the text is no message.
      assert.ok(parser.isInMessage, vector.name)
    } catch (error) {
      assert.ok(error instanceof ProtocolError, vector.name)
    }
  }
})

test('a login is read as its libraries write it, wherever it is cut, and what comes behind it too', () => {
  const behind = Buffer.from('050000000141000000014201', 'hex')
  const logins = VECTORS.filter(
    ({ type, malformed, fields }) =>
      type === 'handshake' && malformed !== true && typeof fields.password === 'string',
  )
  assert.ok(logins.length > 12)
  for (const vector of logins) {
    const bytes = Buffer.concat([Buffer.from(vector.encoded_hex, 'hex'), behind])
    const { username: user, password } = vector.fields
    for (const size of [1, 7, bytes.length]) {
      const parser = parserFor(wireOf(vector), true)
      const messages: ClientMessage[] = []
      for (let at = 0; at < bytes.length; at += size) {
        parser.push(bytes.subarray(at, at + size))
        for (let next = parser.next(); next !== null; next = parser.next()) messages.push(next)
      }
      assert.deepEqual(
        messages,
        [
          { type: 'login', user, password },
          { type: 'subscription-request', feed: 'A', topic: 'B', isAdd: true },
        ],
        `${vector.name}, ${size} bytes at a time`,
      )
      if (vector.protocol === 'v3') assert.equal(parser.wire, 'is-image')
    }
  }
})

test('a login that nobody asks for is read over, that of .NET, which is empty, too', () => {
  const behind = Buffer.from('050000000141000000014201', 'hex')
  for (const vector of VECTORS) {
    if (vector.type !== 'handshake' || vector.malformed === true) continue
    const isFourTexts = vector.protocol !== 'v3' || vector.fields.password !== undefined
    if (!isFourTexts) continue // tokens of version 3 have three, which nothing tells apart
    const pieces = [Buffer.from(vector.encoded_hex, 'hex'), behind]
    const messages = messagesOf(wireOf(vector), pieces)
    assert.deepEqual(
      messages,
      [{ type: 'subscription-request', feed: 'A', topic: 'B', isAdd: true }],
      vector.name,
    )
  }
})

function dataOf({ fields }: Vector): Data {
  const { feed, topic, contentType, isImage, dataPackets } = fields
  const packets = (dataPackets ?? []).map(
    (packet: { entitlements: number[] | null; data_hex: string | null }) => ({
      entitlements: packet.entitlements?.length ? packet.entitlements : null,
      data: packet.data_hex ? Uint8Array.from(Buffer.from(packet.data_hex, 'hex')) : null,
    }),
  )
  return {
    feed,
    topic: topic ?? '',
    mark: isImage ?? contentType ?? '',
    packets: packets.length === 0 ? null : packets,
  }
}

function reversed(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toReversed())
}

/** As the wire has it: the first three groups the other way round. */
function idOf(uuid: string): string {
  const [a, b, c, ...rest] = uuid.split('-').map((group) => Buffer.from(group, 'hex'))
  return Buffer.concat([reversed(a!), reversed(b!), reversed(c!), ...rest]).toString('hex')
}

function meantBy(vector: Vector): ClientMessage {
  const topic = vector.fields.topic ?? '' // there is no null on the wire
  const { feed, isAdd, clientId, isAuthorizationRequired, entitlements } = vector.fields
  switch (vector.type) {
    case 1:
      return { type: 'multicast', ...dataOf(vector) }
    case 2:
      return { type: 'unicast', clientId: idOf(clientId), ...dataOf(vector) }
    case 4:
      return { type: 'notification-request', feed, isAdd }
    case 5:
      return { type: 'subscription-request', feed, topic, isAdd }
    default:
      assert.equal(vector.type, 7)
      return {
        type: 'authorization-response',
        clientId: idOf(clientId),
        feed,
        topic,
        isRequired: isAuthorizationRequired,
        entitlements: entitlements?.length ? entitlements : null,
      }
  }
}

function sentBy(vector: Vector): ServerMessage {
  const { user, host, feed, topic, isAdd, clientId } = vector.fields
  switch (vector.type) {
    case 3:
      return { type: 'subscription', user, host, clientId: idOf(clientId), feed, topic, isAdd }
    case 6:
      return { type: 'authorization-request', clientId: idOf(clientId), host, user, feed, topic }
    case 8:
      return { type: 'multicast', user, host, ...dataOf(vector) }
    default:
      assert.equal(vector.type, 9)
      return { type: 'unicast', clientId: idOf(clientId), user, host, ...dataOf(vector) }
  }
}
