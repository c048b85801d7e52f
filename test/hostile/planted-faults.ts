/** Loaded into a server's process by the test of the suite itself: one fault of each kind that the suite must see. */
import { subscribe } from 'node:diagnostics_channel'
import { openSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'

const kept: unknown[] = []

subscribe('http.server.request.start', (message) => {
  const { request } = message as { request: IncomingMessage }
  const text = String(request.headers['x-planted'] ?? '')
  if (text.startsWith('1') && text.endsWith('x')) beginAnewAtEach(/^1*/.exec(text)![0].length)
  if (text === 'leak') kept.push(Buffer.alloc(40_000))
  if (text === 'hold') kept.push(openSync('/dev/null', 'r'))
  if (text === 'end') {
    process.stderr.write('planted end\n')
    process.kill(process.pid, 'SIGKILL')
  }
})

/** As slow as an expression that tries each digit as its first. */
function beginAnewAtEach(digits: number): void {
  for (let i = 0; i < digits * digits; i++) Math.sqrt(i)
}
