import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PYTHON, missing } from '../programs.ts'
import { newTopic, publish, sharedPubsub } from './pubsub-server.ts'
import { listenWith } from './script-client.ts'

/** All that ends a line or moves a cursor, and letters whose UTF-8 has such a byte in it. */
const ODD = `${Array.from({ length: 0xa0 }, (_, code) => String.fromCharCode(code)).join('')}ÅąхЅ\u2028\u2029\u200b\u202e\ufeff日🦀`

const FORMS = [
  '*/*',
  'application/x-ndjson',
  'application/jsonl',
  'text/event-stream',
  'application/cloudevents+json',
]

const READERS = [
  { library: 'httpx' },
  { library: 'requests' },
  { library: 'requests', encoding: 'utf-8' },
]

for (const reader of READERS)
  describe(`lines of ${Object.values(reader).join(', ')}`, { skip: missing('httpx') }, () => {
    const server = sharedPubsub()

    for (const accept of FORMS)
      test(`${accept}: each event is one line, whatever is in it`, async () => {
        const topic = newTopic()
        const topics = ODD.split('/').map((each) => `x${each}`)
        const path = topics.map(encodeURIComponent).join('/')
        for (let n = 0; n < 3; n++)
          await publish(server(), `/${topic}/${path}`, { n, text: ODD, [ODD]: n })
        const url = `${server().url}/${topic}?since=all&count=3`
        const options = { ...reader, headers: { Accept: accept } }
        await using listener = listenWith(PYTHON, 'lines_listen.py', url, options)
        const { code, lines, errors } = await listener.ended()
        assert.equal(code, 0, errors)
        const events = lines
          .map((line) => JSON.parse(line) as string)
          .filter((line) => /"(?:pubsub_topics|specversion)"/.test(line))
          .map((line) => JSON.parse(line.replace(/^data: /, '')))
        assert.deepEqual(
          events.map(({ data = {}, ...event }) => data.n ?? event.n),
          [0, 1, 2],
        )
        for (const event of events) {
          const payload = event.data ?? event
          assert.deepEqual([payload.text, payload[ODD]], [ODD, payload.n])
          if (event.pubsub_topics !== undefined)
            assert.deepEqual(event.pubsub_topics, [topic, ...topics])
        }
        // Nothing else is there but control lines, and the fields of server-sent events.
        for (const line of lines.map((each) => JSON.parse(each) as string))
          assert.match(line, /^(?:\{.*\}|data: \{.*\}|(?:id|event|retry): .*|:.*|)$/su)
      })
  })
