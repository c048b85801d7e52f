import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startInProcess, type InProcessServer } from '../in-process-server.ts'
import { missing } from '../programs.ts'
import { shared } from '../shared.ts'
import type { Mode } from './lonelyps-client.ts'
import { LonelypsClients, type DrivenClient } from './lonelyps-clients.ts'

const MISSING = missing('lonelypsc')

const MODES = ['http', 'ws'] as const
const SCHEMES = ['none', 'token', 'hmac'] as const

const LARGE_BYTES = 24 * 1024 * 1024

/** How many subscribers of each mode are notified together. */
const MANY: readonly Readonly<Record<Mode, number>>[] = [
  { http: 2, ws: 0 },
  { http: 3, ws: 0 },
  { http: 5, ws: 0 },
  { http: 0, ws: 2 },
  { http: 0, ws: 3 },
  { http: 0, ws: 5 },
  { http: 1, ws: 1 },
  { http: 2, ws: 2 },
  { http: 3, ws: 3 },
]
const MOST = 5

/** What the reference tests of its own broadcaster (lonelypst), in each pair of schemes that the two directions can have. */
describe('lonelypsc', { skip: MISSING, concurrency: 3 }, () => {
  const clients = shared(async () => new LonelypsClients())

  for (const toBroadcaster of SCHEMES)
    for (const toSubscriber of SCHEMES)
      describe(
        `with ${toBroadcaster} to the broadcaster and ${toSubscriber} to the subscriber`,
        { concurrency: 1 },
        () => {
          let server: InProcessServer
          let secrets: string
          before(async () => {
            const directory = mkdtempSync(join(tmpdir(), 'pubsubd-lonelyps-pairs-'))
            secrets = join(directory, 'secrets.json')
            writeFileSync(secrets, secretsText(toBroadcaster, toSubscriber))
            server = await startInProcess({ config: configText(secrets), directory })
          })
          after(() => server[Symbol.asyncDispose]())

          const make = (mode: Mode) => clients().make(mode, server.url, secrets)
          const entered = async (mode: Mode) => (await make(mode)).enter()

          for (const mode of MODES) {
            test(`over ${mode} it opens and closes`, async () => {
              const client = await entered(mode)
              await client.leave()
            })

            test(`over ${mode} it is left, entered again, and then hears what it notifies`, async () => {
              const client = await entered(mode)
              await client.leave()
              await client.enter()
              await reaches(client, [client], 4)
              await client.leave()
            })

            test(`over ${mode} it notifies nobody where nobody is subscribed`, async () => {
              const client = await entered(mode)
              await reaches(client, [], 0)
              await reaches(client, [], 4)
              await client.leave()
            })

            for (const subscriberMode of MODES)
              test(`over ${mode} it notifies one over ${subscriberMode}`, async () => {
                const [publisher, subscriber] = [await entered(mode), await entered(subscriberMode)]
                for (const size of [0, 4]) await reaches(publisher, [subscriber], size)
                await reaches(publisher, [subscriber], LARGE_BYTES)
                await reaches(publisher, [subscriber], 4)
                for (const client of [publisher, subscriber]) await client.leave()
              })

            test(`over ${mode} it notifies many`, async () => {
              const publisher = await entered(mode)
              const [http, ws] = await Promise.all(
                MODES.map((each) => Promise.all(Array.from({ length: MOST }, () => entered(each)))),
              )
              for (const count of MANY) {
                const subscribers = [...http!.slice(0, count.http), ...ws!.slice(0, count.ws)]
                await reaches(publisher, subscribers, 4)
              }
              await Promise.all([publisher, ...http!, ...ws!].map((client) => client.leave()))
            })
          }
        },
      )
})

/** What is notified on a topic of its own is what each of its subscribers hears, and all of them are counted. */
async function reaches(
  publisher: DrivenClient,
  subscribers: readonly DrivenClient[],
  size: number,
): Promise<void> {
  const topic = randomBytes(6).toString('latin1')
  await Promise.all(subscribers.map((subscriber) => subscriber.subscribe(topic)))
  const hearing = Promise.all(subscribers.map((subscriber) => subscriber.receive(topic)))
  hearing.catch(() => {}) // where it was told that not all have got it, nobody waits for them
  const { notified, sha256 } = await publisher.notify(topic, size)
  assert.equal(notified, subscribers.length)
  for (const heard of await hearing) assert.equal(heard, sha256)
  await Promise.all(subscribers.map((subscriber) => subscriber.unsubscribe(topic)))
}

function configText(secrets: string): string {
  return `
server: { bind: 127.0.0.1, port: 0, backlog: { size: 8 } }
clients: { payloaders: [127.0.0.1] }
protocols:
  lonelyps:
    secrets: ${secrets}
    webhooks: { allow: [127.0.0.1], counted_for: 2m } # as long as a busy machine may need for the largest
`
}

type Scheme = (typeof SCHEMES)[number]

/** The reference's secrets files leave out a direction that proves nothing. */
function secretsText(toBroadcaster: Scheme, toSubscriber: Scheme): string {
  const directions = { 'to-broadcaster': toBroadcaster, 'to-subscriber': toSubscriber }
  const proving = Object.entries(directions).filter(([, scheme]) => scheme !== 'none')
  return JSON.stringify({
    version: '2',
    ...Object.fromEntries(
      proving.map(([direction, type]) => [
        direction,
        { type, secret: randomBytes(64).toString('base64url') },
      ]),
    ),
  })
}
