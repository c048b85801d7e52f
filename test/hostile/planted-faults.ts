/** Loaded into a server's process by the test of the suite itself: one fault of each kind that the suite must see. */
import { subscribe } from 'node:diagnostics_channel'
import { openSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'

const kept: unknown[] = []

// Behind the answer, so that all of it is within the server's own work.
subscribe('http.server.response.finish', (message) => {
  const { request } = message as { request: IncomingMessage }
  const text = String(request.headers['x-planted'] ?? '')
  if (text.startsWith('1') && text.endsWith('x')) beginAnewAtEach(/^1*/.exec(text)![0].length)
  if (text === 'run') runFor(300)
  if (text === 'leak') kept.push(Buffer.alloc(40_000))
  if (text === 'hold') kept.push(openSync('/dev/null', 'r'))
  if (text === 'end') {
    process.stderr.write('planted end\n')
    process.kill(process.pid, 'SIGKILL')
  }
})

function runFor(cpuMs: number): void {
  const since = process.threadCpuUsage()
  for (let ms = 0; ms < cpuMs;) {
    const { user, system } = process.threadCpuUsage(since)
    ms = (user + system) / 1_000
  }
}

/** As slow as an expression that tries each digit as its first. */
function beginAnewAtEach(digits: number): void {
  for (let i = 0; i < digits * digits; i++) Math.sqrt(i)
}
