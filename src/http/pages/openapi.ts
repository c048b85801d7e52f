import { REFUSALS, type Operation } from '../server/refusals.ts'
import { STREAM_TYPES } from '../stream/negotiation.ts'
import { PAYLOAD_TYPES } from '../publish/payload-form.ts'
import type { StreamParameter } from '../stream/stream-query.ts'

/**
 * What `/-/openapi.json` says (OpenAPI 3.1) beside the routes below `/-/`, which describe themselves: of topic URLs, which are no
 * routes. Names, codes and types come from where the server reads them.
 */
export function openapiOfTopics(version: string): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'pubsubd',
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description:
        'Publish JSON by PUT or POST, follow it by GET. Each segment of a path is a topic; curl HOST/-/ prints the manual.',
    },
    servers: [{ url: '/' }],
    security: [{}, { basic: [] }],
    paths: {
      '/{topics}': {
        parameters: [TOPICS],
        get: listen,
        put: { operationId: 'put', ...publish },
        post: { operationId: 'post', ...publish },
        head,
        options,
      },
      '/-/': { delete: other },
    },
    components: {
      securitySchemes: { basic: { type: 'http', scheme: 'basic' } },
      schemas: { Problem: PROBLEM },
    },
  }
}

/** Answers of a route below `/-/`, as its schema has them: what it is there for, and what may be refused. */
export function pageResponses(description: string, ...types: readonly string[]): object {
  const content = Object.fromEntries(types.map((type) => [type, { schema: {} }]))
  return { 200: { description, content }, ...refusals('page') }
}

const PROBLEM = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code'],
  properties: {
    type: { const: 'about:blank' },
    title: { type: 'string' },
    status: { enum: [...new Set(Object.values(REFUSALS).map(({ status }) => status))] },
    detail: { type: 'string' },
    code: { enum: Object.keys(REFUSALS) },
  },
}

function refusals(operation: Operation): Record<string, object> {
  const codes = Object.entries(REFUSALS).filter(([, { metBy }]) => metBy.includes(operation))
  const byStatus = Object.groupBy(codes, ([, { status }]) => String(status))
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, met]) => [
      status,
      {
        description: met!.map(([code]) => code).join(', '),
        content: {
          'text/plain': TEXT,
          'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
        },
      },
    ]),
  )
}

const TEXT = { schema: { type: 'string' } }

const CURSOR = {
  'X-Pubsub-Cursor': { description: 'a place in the log, opaque', schema: { type: 'string' } },
}

function parameter(place: 'query' | 'header', name: string, description = ''): object {
  return { in: place, name, schema: { type: 'string' }, ...(description && { description }) }
}

const TOPICS = {
  ...parameter('query', 'topics', 'topics with slashes between; on GET a comma means "or"'),
  in: 'path',
  required: true,
}

/** A missing one does not compile. */
const STREAM_PARAMETERS: Readonly<Record<StreamParameter, string>> = {
  cursor: 'go on behind this event',
  since: 'from then: 10m (ago), seconds since 1970, a time of RFC 3339, or all',
  on_gap: 'oldest, live or fail (410), when the cursor leads nowhere',
  until: 'only events before then; the stream then ends',
  count: 'end after so many events',
  timeout: 'end after this time: 30, 30s, 5m; 504 if there was no event',
  without: 'topics, with commas between, that must not be on an event',
  where: 'an expression (CEL) about the payload',
}

const RESUME_HEADERS = ['X-Fetch-Since', 'X-Fetch-Since-Cursor', 'Last-Event-ID']

const listen = {
  operationId: 'listen',
  description:
    'A stream in the form that Accept names. With Upgrade: websocket it is one, a text message for each line of NDJSON.',
  parameters: [
    ...Object.entries(STREAM_PARAMETERS).map(([name, text]) => parameter('query', name, text)),
    ...RESUME_HEADERS.map((name) => parameter('header', name)),
  ],
  responses: {
    101: { description: 'a WebSocket (RFC 6455, version 13)' },
    200: {
      description: 'the stream; the page for a browser that navigates',
      content: Object.fromEntries([...STREAM_TYPES, 'text/html'].map((type) => [type, TEXT])),
    },
    ...refusals('listen'),
  },
}

const publish = {
  description: 'One event, or a batch: all of it or none. CloudEvents also as ce- headers.',
  parameters: [parameter('header', 'Idempotency-Key', 'the same key publishes once')],
  requestBody: {
    required: true,
    content: Object.fromEntries(
      ['application/json', ...PAYLOAD_TYPES].map((type) => [type, { schema: {} }]),
    ),
  },
  responses: {
    202: {
      description: 'published',
      headers: CURSOR,
      content: { 'text/plain': TEXT, 'application/json': { schema: { type: 'object' } } },
    },
    ...refusals('publish'),
  },
}

const head = {
  operationId: 'head',
  description: 'Where the log ends, and counts',
  responses: { 204: { description: 'nothing but headers', headers: CURSOR } },
}

/** Below `/-/`. */
const other = {
  operationId: 'other',
  description: 'Refused, as is every other method',
  responses: refusals('other'),
}

const options = {
  operationId: 'preflight',
  description: 'What a page of another origin may send (CORS), where server.cors.origins is set',
  responses: { 204: { description: 'what is allowed' }, ...refusals('preflight') },
}
