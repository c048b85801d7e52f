import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { FORMS } from './form-reader.ts'
import { encodingFor, STREAM_TYPES } from '../../../src/http/stream/negotiation.ts'

const PYPUBSUB = 'application/vnd.pypubsub-stream'
const NDJSON = 'application/x-ndjson'
const SSE = 'text/event-stream'

const CASES: readonly (readonly [accept: string | undefined, contentType: string])[] = [
  [undefined, PYPUBSUB],
  ['', PYPUBSUB],
  ['nonsense', PYPUBSUB],
  ['*/*', PYPUBSUB],
  ['application/*', PYPUBSUB],
  ['application/json', PYPUBSUB],
  ['image/png', PYPUBSUB],
  ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', PYPUBSUB],
  [PYPUBSUB, PYPUBSUB],
  [NDJSON, NDJSON],
  ['APPLICATION/X-NDJSON', NDJSON],
  ['application/ndjson', 'application/ndjson'],
  ['application/jsonl', 'application/jsonl'],
  ['application/cloudevents+json', 'application/cloudevents+json'],
  [SSE, SSE],
  ['text/*', SSE],
  ['text/event-stream;q=0', PYPUBSUB],
  [`${SSE};q=0.5, ${NDJSON}`, NDJSON],
  [`${NDJSON};q=0, ${SSE};q=0.1`, SSE],
  ['*/*;q=0.1, application/jsonl', 'application/jsonl'],
  ['application/x-ndjson; charset=utf-8', NDJSON],
  ['application/x-ndjson;charset="a,b" ; q=0.2, text/event-stream ; charset=UTF-8;q=0.3', SSE],
  ['application/x-ndjson;q=0;charset=utf-8, text/event-stream;x=', SSE],
]

test("the form is the one that Accept likes best, and PyPubSub's if it names none of ours", () => {
  for (const [accept, contentType] of CASES) {
    const headers = accept === undefined ? {} : { accept }
    const request = { headers, httpVersionMinor: 1 } as IncomingMessage
    assert.equal(encodingFor(request, [], false).contentType, contentType, accept)
  }
})

test('each form is read by the contract of forms, and has its row in docs/streams.md', () => {
  const [, ...ours] = STREAM_TYPES
  assert.deepEqual(
    FORMS.map(({ name }) => name)
      .filter((name) => name !== 'websocket')
      .toSorted(),
    ours.toSorted(),
  )
  const [table] = /\n\|.*?\n\n/s.exec(
    readFileSync(new URL('../../../docs/streams.md', import.meta.url), 'utf8'),
  )!
  for (const type of STREAM_TYPES) assert.ok(table.includes(`\`${type}\``), type)
})
