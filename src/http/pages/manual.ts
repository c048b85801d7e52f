import type { IncomingMessage } from 'node:http'
import { isTls } from '../server/peer.ts'

/** What `curl HOST/-/` prints: two screens of a terminal, whose commands work as they stand. */
export function manual(request: IncomingMessage): string {
  const authority = authorityOf(request)
  const url = `${isTls(request) ? 'https' : 'http'}://${authority}`
  return `pubsubd: publish JSON by PUT or POST, follow it by GET. Each segment of a path is a topic.

PUBLISH an object; or many, a line for each: all of them or none. -u NAME:PASSWORD logs in.
  curl -XPUT -d '{"text": "hello", "size": 3}' ${url}/fruits/apples
  printf '{"n": 1}\\n{"n": 2}\\n' | curl -T - -H 'Content-Type: application/x-ndjson' ${url}/fruits
  curl -XPUT -H 'Idempotency-Key: build-17' -d '{"build": 17}' ${url}/builds
The last one may be sent again: it is published once.

LISTEN to events that have all these topics; a comma means "or", / is everything.
  curl -N ${url}/fruits/apples
  curl -N ${url}/fruits,builds
A line without pubsub_topics is a sign of life, or tells of a gap or an end.

FORMS: Accept chooses between lines (NDJSON), server-sent events and CloudEvents.
  curl -N -H 'Accept: application/x-ndjson' ${url}/fruits
  curl -N -H 'Accept: text/event-stream' ${url}/fruits
  curl -N -H 'Accept: application/cloudevents+json' ${url}/fruits
Each of these URLs is a WebSocket, too, as ${isTls(request) ? 'wss' : 'ws'}://${authority}/fruits.

RESUME, where the server keeps a backlog: from a time on, or behind the last cursor you saw.
  curl -N '${url}/fruits?since=10m'
  cursor=$(curl -sI ${url}/ | tr -d '\\r' | sed -n 's/^X-Pubsub-Cursor: //p'); \\
    curl -N "${url}/fruits?cursor=$cursor"
since and until take 10m (ago), seconds since 1970, or 2026-11-20T10:00:00Z; since also takes all.
on_gap=oldest, live or fail says what comes when a cursor leads nowhere.

WAIT for so many events, for so long: the status is 504 if there was none.
  curl -sf '${url}/fruits?since=10m&count=1&timeout=30s'

FILTER by the payload (https://cel.dev), or by topics that must not be there.
  curl -N -G --data-urlencode 'where=size > 2 && text.startsWith("h")' ${url}/fruits
  curl -N '${url}/fruits?without=pears'

ERRORS say what is wrong and what helps; as JSON they have a code that stays.
  curl -i -H 'Accept: application/problem+json' '${url}/fruits?count=0'

In a browser: ${url}/-/    for programs: ${url}/-/openapi.json
`
}

/** As the client wrote it, if nothing but an authority can be meant; else where its connection arrived. */
function authorityOf({ headers: { host = '' }, socket }: IncomingMessage): string {
  if (host.length <= HOST_CHARACTERS_MAX && AUTHORITY.test(host)) return host
  const address = socket.localAddress ?? 'localhost'
  return `${address.includes(':') ? `[${address}]` : address}:${socket.localPort}`
}

/** The longest DNS name (RFC 1035 §2.3.4), with a port. */
const HOST_CHARACTERS_MAX = 253 + ':65535'.length

/** A name, an IPv4 or an IPv6 address, with a port or without: none of these characters means anything to a shell that is given a URL. */
const AUTHORITY = /^(?:[a-z\d](?:[a-z\d._-]*[a-z\d])?|\[[a-f\d:.]*[a-f\d:]\])(?::\d{1,5})?$/i
