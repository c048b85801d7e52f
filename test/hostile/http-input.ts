import { once } from 'node:events'
import { connect } from 'node:net'
import type { WatchedServer } from './watched-server.ts'

/** A server that says nothing for so long waits for more of a request, in ms: then it gets an end. */
const SILENT_MS = 1_000

/**
 * Sends bytes on a connection of their own, and waits for the first bytes that come back, or the end. Then the connection
 * goes, whatever stands on it.
 */
export async function sendBytes(
  { port }: WatchedServer,
  ...parts: readonly (string | Uint8Array)[]
): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true })
  socket.on('error', () => {}) // a refusal may come with a reset
  try {
    await once(socket, 'connect')
    const answered = firstBytes(socket)
    for (const part of parts)
      socket.write(typeof part === 'string' ? Buffer.from(part, 'latin1') : part)
    return await answered
  } finally {
    socket.destroy()
    if (!socket.closed) await once(socket, 'close')
  }
}

function firstBytes(socket: ReturnType<typeof connect>): Promise<string> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      socket.end()
      setTimeout(() => resolve(''), SILENT_MS).unref()
    }, SILENT_MS)
    const end = (text: string) => {
      clearTimeout(timer)
      resolve(text)
    }
    socket.once('data', (bytes) => end(bytes.toString('latin1')))
    socket.once('end', () => end(''))
    socket.once('close', () => end(''))
  })
}

/** A stream that is read and thrown away, and gone when it is disposed of. */
export async function holdStream(
  { port }: WatchedServer,
  target: string,
  lines: readonly string[] = [],
): Promise<AsyncDisposable> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(requestText('GET', target, lines))
  await once(socket, 'data')
  socket.resume()
  return {
    async [Symbol.asyncDispose]() {
      socket.destroy()
      if (!socket.closed) await once(socket, 'close')
    },
  }
}

/** A request with these header lines, which may be anything but a line's end. */
export function requestText(
  method: string,
  target: string,
  lines: readonly string[] = [],
  { hasHost = true }: { readonly hasHost?: boolean } = {},
): string {
  const host = hasHost ? ['Host: pubsub.test'] : []
  return `${[`${method} ${target} HTTP/1.1`, ...host, ...lines].join('\r\n')}\r\n\r\n`
}
