/** Reconnects at once the first time, then after up to so many ms, twice as many after each failure. */
const PAUSE_MS = 500
const PAUSE_MS_MAX = 15_000
/** The server says something every 5 s: after so long without a word the connection is dead. */
const SILENCE_MS = 16_000
/** How long lines are taken in before the page may draw again. */
const TURN_MS = 8

/**
 * One stream of NDJSON that comes back by itself and goes on behind the last cursor, until it is stopped, refused for good,
 * or whole. `tell` hears of events, gaps and states; what a line means: docs/streams.md.
 */
export class EventStream {
  #target
  #headers
  #tell
  #cursor = ''
  #left
  /** Why the server ends the connection: it then does without the last chunk, so that reading fails. */
  #closing = null
  #stopped = new AbortController()

  constructor({ target, count, headers, tell }) {
    this.#target = target
    this.#headers = headers
    this.#left = count === '' ? null : Number(count)
    this.#tell = tell
    void this.#run()
  }

  stop() {
    this.#stopped.abort()
  }

  async #run() {
    const { signal } = this.#stopped
    for (let failures = 0; !signal.aborted; failures++) {
      const before = this.#cursor
      const outcome = await this.#connection(signal)
      if (signal.aborted) return
      if (outcome.isFinal) {
        this.#tell(outcome)
        return
      }
      // What was cut off behind the last one that was asked for is whole all the same.
      if (this.#left === 0) {
        this.#tell({ type: 'finished' })
        return
      }
      if (this.#cursor !== before) failures = 0
      const most = Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** failures)
      // The server may have asked everybody for the same.
      const askedMs = (outcome.retryAfterMs ?? 0) * (1 + Math.random() / 2)
      const pauseMs = Math.max(askedMs, most * (0.5 + Math.random() / 2))
      this.#tell({ type: 'reconnecting', pauseMs, why: outcome.why })
      await pause(pauseMs, signal)
    }
  }

  /** Until it ends, and then why. Never rejects. */
  async #connection(signal) {
    const silence = new AbortController()
    const watch = { timer: 0, silence }
    this.#closing = null
    restart(watch)
    try {
      const response = await fetch(this.#url(), {
        headers: { ...this.#headers, Accept: 'application/x-ndjson', ...this.#place() },
        signal: AbortSignal.any([signal, silence.signal]),
        cache: 'no-store',
        credentials: 'omit',
      })
      if (!response.ok) return await refusalOf(response)
      return await this.#read(response.body, watch)
    } catch {
      if (this.#closing !== null) return farewell(this.#closing)
      return { why: silence.signal.aborted ? 'nothing heard for too long' : 'the connection broke' }
    } finally {
      clearTimeout(watch.timer)
    }
  }

  #url() {
    if (this.#left === null) return this.#target
    const url = new URL(this.#target, location.origin)
    url.searchParams.set('count', String(this.#left))
    return url.pathname + url.search
  }

  /** A header counts before what the query says. */
  #place() {
    return this.#cursor === '' ? {} : { 'Last-Event-ID': this.#cursor }
  }

  async #read(body, watch) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader()
    let rest = ''
    let turn = performance.now()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      restart(watch)
      const lines = (rest + value).split('\n')
      rest = lines.pop()
      for (const line of lines) {
        this.#take(line)
        if (performance.now() - turn < TURN_MS) continue
        await nextTask()
        turn = performance.now()
        if (this.#stopped.signal.aborted) return {}
      }
    }
    if (this.#closing !== null) return farewell(this.#closing)
    return { type: 'finished', isFinal: true }
  }

  #take(line) {
    const told = JSON.parse(line)
    if (told.pubsub_topics !== undefined) {
      this.#cursor = told.pubsub_cursor
      if (this.#left !== null) this.#left--
      this.#tell({ type: 'event', event: told, line })
      return
    }
    const cursor =
      told.opened?.cursor ?? told.gap?.resumes_at ?? told.cursor ?? told.closing?.cursor
    if (cursor !== undefined) this.#cursor = cursor
    this.#tell({ type: 'time', ms: told.stillalive * 1000 })
    if (told.opened !== undefined) this.#tell({ type: 'opened' })
    else if (told.gap !== undefined) this.#tell({ type: 'gap', reason: told.gap.reason })
    else if (told.cursor !== undefined) this.#tell({ type: 'live' })
    this.#closing = told.closing ?? null
  }
}

function farewell({ reason, retry_after_ms: retryAfterMs }) {
  if (reason === 'revoked')
    return { type: 'refused', isFinal: true, status: 403, text: 'your rights were withdrawn' }
  return { why: WHY[reason] ?? reason, retryAfterMs }
}

const WHY = {
  shutdown: 'the server is being restarted',
  slow: 'this page was too slow',
  stalled: 'this page was too slow',
  unavailable: 'the backlog cannot be read now',
  timeout: 'its time was over',
  internal: 'something went wrong in the server, which has logged it',
}

/** What is wrong with the request stays wrong; all else may be better later. */
async function refusalOf(response) {
  const text = (await response.text()).trim()
  const { status } = response
  const isFinal = status < 500 && status !== 429 && status !== 408
  const retryAfterMs = Number(response.headers.get('Retry-After') ?? 0) * 1000
  return { type: 'refused', isFinal, status, text, why: text, retryAfterMs }
}

function restart(watch) {
  clearTimeout(watch.timer)
  watch.timer = setTimeout(() => watch.silence.abort(), SILENCE_MS)
}

/** Or until the network is back. */
function pause(ms, signal) {
  return new Promise((resolve) => {
    const over = new AbortController()
    const end = () => {
      over.abort()
      clearTimeout(timer)
      resolve()
    }
    const timer = setTimeout(end, ms)
    addEventListener('online', end, { signal: over.signal })
    signal.addEventListener('abort', end, { signal: over.signal })
  })
}

function nextTask() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.addEventListener(
      'message',
      () => {
        port1.close()
        resolve()
      },
      { once: true },
    )
    port1.start()
    port2.postMessage(null)
  })
}
