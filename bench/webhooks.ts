import { EventEmitter, once } from 'node:events'
import { writeFileSync } from 'node:fs'
import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { authorizationOf, type Secrets } from '../src/protocols/lonelyps/authorization.ts'
import { ByteReader } from '../src/protocols/lonelyps/byte-reader.ts'
import { ByteWriter } from '../src/protocols/lonelyps/byte-writer.ts'
import { signed } from '../src/protocols/lonelyps/signed-bytes.ts'
import { becomeLoad, cpuSeconds, directory, median, option, row, startPubsubd } from './harness.ts'

/**
 * Webhooks of lonelyps: 20 receivers, each of which wants every event, unsigned and signed by hmac. Receivers and publisher are this
 * process, on the other core, and take about as much as the server.
 */
const rounds = option('rounds', 5)
const seconds = option('seconds', 3)
const RECEIVERS = 20
/** Events that are under way at once: enough that no receiver waits for the next one. */
const EVENTS_AT_ONCE = 8

const bytes = Buffer.alloc(64, 7)
const file = join(directory, 'secrets.json')
const secret = bytes.toString('base64url')
writeFileSync(
  file,
  JSON.stringify({
    version: '2',
    'to-subscriber': { type: 'hmac', secret },
    'to-broadcaster': { type: 'hmac', secret },
  }),
)
const HMAC = { type: 'hmac', secret: bytes } as const
const NOTHING = new Uint8Array()

becomeLoad()
const agent = new Agent({ keepAlive: true })
row('20 receivers', 'deliveries/s', 'µs CPU of the server each')
row('---', '---', '---')
await measure('unsigned', '', { type: 'none' })
await measure('hmac', `, secrets: ${JSON.stringify(file)}`, HMAC)
agent.destroy()

async function measure(
  name: string,
  settings: string,
  toBroadcaster: Secrets['toBroadcaster'],
): Promise<void> {
  let received = 0
  const arrivals = new EventEmitter()
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await buffer(request)
    received++
    response.end(confirmationOf(request, body, toBroadcaster))
    arrivals.emit('arrival')
  }
  const receivers = createServer((request, response) => void take(request, response))
  receivers.listen(0, '127.0.0.1')
  await once(receivers, 'listening')
  const { port } = receivers.address() as AddressInfo
  await using server = await startPubsubd({
    more: `protocols: {lonelyps: {webhooks: {allow: [127.0.0.1]}${settings}}}\n`,
  })
  for (let i = 0; i < RECEIVERS; i++) {
    const url = `http://127.0.0.1:${port}/${i}`
    const topic = Buffer.from('bench')
    const proof = signed.subscribeExact(url, null, topic)
    const body = new ByteWriter().str16(url).b16(topic).str16('').b16(NOTHING).bytes()
    const authorization = authorizationOf(toBroadcaster, proof, NOTHING)
    await post(server.port, '/-/lonelyps/v1/subscribe/exact', body, authorization)
  }
  const [perSecond, cpuMicroseconds]: [number[], number[]] = [[], []]
  for (let round = 0; round <= rounds; round++) {
    const [before, cpuBefore, startMs] = [received, cpuSeconds(server.pid), performance.now()]
    const endMs = startMs + seconds * 1_000
    let due = before
    const publishMore = () => {
      while (performance.now() < endMs && due - received <= (EVENTS_AT_ONCE - 1) * RECEIVERS) {
        due += RECEIVERS
        void post(server.port, '/bench', Buffer.from('{"n":1}'), null, 'PUT')
      }
      return due - received
    }
    while (publishMore() > 0) await once(arrivals, 'arrival')
    if (round === 0) continue // warms up
    const count = received - before
    perSecond.push((count * 1_000) / (performance.now() - startMs))
    cpuMicroseconds.push(((cpuSeconds(server.pid) - cpuBefore) * 1e6) / count)
  }
  row(name, Math.round(median(perSecond)), median(cpuMicroseconds))
  receivers.closeAllConnections()
  receivers.close()
}

function confirmationOf(
  request: IncomingMessage,
  body: Buffer,
  toBroadcaster: Secrets['toBroadcaster'],
): Buffer {
  const reader = new ByteReader(body)
  reader.b16()
  reader.b16()
  const identifier = reader.b8()
  const url = `http://${request.headers.host}${request.url}`
  const proof = signed.confirmReceive(identifier, 1, url)
  return new ByteWriter()
    .u16(8)
    .str16(authorizationOf(toBroadcaster, proof, NOTHING) ?? '')
    .b16(NOTHING)
    .b8(identifier)
    .u32(1)
    .bytes()
}

async function post(
  port: number,
  path: string,
  body: Buffer,
  authorization: string | null,
  method = 'POST',
): Promise<void> {
  const headers = authorization === null ? {} : { Authorization: authorization }
  const request = httpRequest({ agent, port, path, method, headers })
  request.end(body)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const answer = await buffer(response)
  if (response.statusCode! >= 300)
    throw new Error(`${path}: ${response.statusCode} ${answer.toString()}`)
}
