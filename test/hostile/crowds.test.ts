import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import fc from 'fast-check'
import { hostileGroup, type HostileCase } from './hostile-group.ts'
import { requestText } from './http-input.ts'

/** Requests that each take a millisecond or two of their own, `n` of them at the same instant. */
const FORMS: Readonly<Record<string, (n: number) => string>> = {
  'comma groups': (n) =>
    requestText('GET', `/${Array.from({ length: 300 }, (_, i) => `g${n}x${i}`).join(',')}`),
  conditions: (n) => requestText('GET', `/a${n}?where=n%3E${n}%20%26%26%20m%3C3`),
  publications: (n) => `${requestText('PUT', `/a/${n}`, ['Content-Length: 2'])}{}`,
  replays: () => requestText('GET', '/a?since=all'),
  pages: () => requestText('GET', '/-/', ['Accept: text/html']),
  handshakes: () =>
    requestText('GET', '/-/lonelyps/v1/websocket', [
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    ]),
}

const CONNECTIONS_MAX = 300

/** One request on each of many connections, all of which the server finds at once; then they all go at once. */
hostileGroup(
  'crowds',
  { config: { protocols: { lonelyps: {} } }, heapBytesMax: 12_582_912 },
  Object.entries(FORMS).map(([name, form]): HostileCase<number> => ({
    name,
    runs: 2,
    inputs: fc.integer({ min: CONNECTIONS_MAX / 2, max: CONNECTIONS_MAX }),
    examples: [CONNECTIONS_MAX],
    async send(server, count) {
      const sockets: Socket[] = []
      for (let n = 0; n < count; n++) {
        const socket = connect({ host: '127.0.0.1', port: server.port })
        await once(socket, 'connect')
        sockets.push(socket)
      }
      server.process.kill('SIGSTOP')
      try {
        for (const [n, socket] of sockets.entries())
          await new Promise((resolve) => socket.write(form(n), 'latin1', resolve))
      } finally {
        server.process.kill('SIGCONT')
      }
      await Promise.all(sockets.map((socket) => once(socket, 'data')))
      for (const socket of sockets) socket.destroy()
    },
  })),
)
