import { UsageError } from './arguments.ts'
import { hideCredentials } from './hide-credentials.ts'

/**
 * The URL of topics, as somebody types it: `localhost:2069/fruits` is enough.
 * @throws {UsageError}
 */
export function parseServerUrl(text: string | undefined): URL {
  if (text === undefined) throw new UsageError('name the URL, such as http://localhost:2069/fruits')
  const hasScheme = /^[a-z][a-z\d+.-]*:\/\//i.test(text)
  if (!hasScheme && !NAMES_SERVER.test(text)) throw new UsageError(withoutServer(text))
  const written = hasScheme ? text : `http://${text}`
  if (!URL.canParse(written))
    throw new UsageError(`${JSON.stringify(hideCredentials(text))} is no URL`)
  const url = new URL(written)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new UsageError(`the URL begins with http:// or https://, not ${url.protocol}//`)
  if (DOTS.test(written)) throw new UsageError(`the topics "." and ".." ${DROPPED}`)
  return url
}

/** Before the path there is a port, a dot as in a name or an address of IPv4, an address of IPv6, credentials, or this machine's own name. */
const NAMES_SERVER = /^(?:localhost|[^/?#]*[.:@[][^/?#]*)(?:[/?#]|$)/i

function withoutServer(text: string): string {
  const path = text.replace(/^\/*/, '/')
  const [host = ''] = text.split('/', 1)
  const other = !/^[\w-]+$/.test(host) ? '' : `, or http://${text} if ${host} is a host`
  return `${JSON.stringify(text.slice(0, 100))} names no server: write http://localhost:2069${path.slice(0, 100)}${other}`
}

/** A segment of the path that is one or two dots, escaped or not. */
const DOTS = /^[^?#]*[/\\](?:\.|%2e)(?:\.|%2e)?(?:[/\\?#]|$)/i

const DROPPED = 'cannot be named in a URL, which would lead elsewhere; use another client for them'

/**
 * The same URL with topics behind its own.
 * @throws {UsageError} a topic cannot be one.
 */
export function withTopics(url: URL, topics: readonly string[]): URL {
  const joined = new URL(url)
  for (const topic of topics) {
    if (topic === '' || topic.includes('/'))
      throw new UsageError(
        `--topic ${JSON.stringify(topic)} is no topic: it is not empty and has no slash; give --topic again for another one`,
      )
    if (topic === '.' || topic === '..') throw new UsageError(`--topic ${topic}: it ${DROPPED}`)
    joined.pathname = `${joined.pathname.replace(/\/$/, '')}/${encodeURIComponent(topic)}`
  }
  return joined
}
