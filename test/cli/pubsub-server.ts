import { startServer, type RunningServer } from '../running-server.ts'
import { shared } from '../shared.ts'

const CONFIG = `
server: {bind: 127.0.0.1, port: 0, backlog: {size: 10000}, max_payload_size: 1000}
limits: {batch_events: 4}
clients: {payloaders: [127.0.0.1], secure_topics: [commit], bad_credentials: reject}
`

const ACL = `
alice: {password: 'wonder:land', acl: {fruit: [fruits]}, topics: [commit]}
`

/** One server for all tests of a file; a batch of more than four events is too large for it. */
export function sharedServer(): () => RunningServer {
  return shared(() => startServer({ config: CONFIG, acl: ACL }))
}

/** Authorization header of alice. */
const ALICE = `Basic ${Buffer.from('alice:wonder:land').toString('base64')}`

/** Payloads of everything that was published there, in order. */
export async function publishedAt(url: string): Promise<string[]> {
  const answer = await fetch(`${url}?since=all&until=0s`, {
    headers: { Accept: 'application/x-ndjson', Authorization: ALICE },
  })
  return (await answer.text())
    .split('\n')
    .filter((line) => line.includes('pubsub_topics'))
    .map((line) => line.replace(/,? ?"pubsub_timestamp.*/, '}'))
}
