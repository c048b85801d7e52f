// Follows a pubsubd topic and loses no event that the server still keeps; Node 20 or a browser.
//   for await (const event of listen('https://pubsub.example.org/fruits', { cursor, keep })) …
// At least once: keep(cursor) is called when your loop asks for the next event; after a restart hand over its last one
// as `cursor`. warn() hears of gaps and cuts; what trying again cannot mend is thrown. No ?count=, ?until=, ?timeout=.
export async function* listen(url, { cursor, keep, headers = {}, warn = console.warn } = {}) {
  for (let waitMs = 1_000; ; waitMs = Math.min(2 * waitMs, 30_000)) {
    const asking = { ...headers, Accept: 'application/x-ndjson' }
    if (cursor) asking['X-Fetch-Since-Cursor'] = cursor
    let [abort, isFinal, heardAt] = [new AbortController(), false, Date.now()] // a line is due every 5 s
    const watch = setInterval(() => Date.now() - heardAt > 20_000 && abort.abort('silence'), 1_000)
    try {
      const answer = await fetch(url, { headers: asking, cache: 'no-store', signal: abort.signal })
      waitMs = Math.max(waitMs, 1_000 * answer.headers.get('Retry-After') || 0)
      isFinal = /^4(?!08|29)/.test(answer.status)
      if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`)
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
      for (let rest = '', read; !(read = await reader.read()).done; heardAt = Date.now()) {
        const lines = (rest + read.value).split('\n')
        rest = lines.pop() // a line that was cut is not looked at
        for (const told of lines.map((line) => JSON.parse(line))) {
          isFinal = true // what keep() throws is for the caller
          if (told.pubsub_topics) yield told
          const { opened, gap, closing } = told.pubsub_topics ? {} : told
          if (gap) warn(`events are missing: ${gap.reason}`)
          if (closing?.reason === 'revoked') throw new Error('the right to see this is withdrawn')
          cursor = told.pubsub_cursor ?? gap?.resumes_at ?? (opened ?? closing ?? told).cursor
          await keep?.(cursor)
          ;[isFinal, waitMs] = [false, closing?.retry_after_ms ?? 1_000]
        }
      }
    } catch (error) {
      if (isFinal) throw error
      warn(`the stream broke: ${error.cause ?? error}`)
    } finally {
      clearInterval(watch)
      abort.abort()
    }
    await new Promise((go) => setTimeout(go, waitMs * (1 + Math.random() / 2)))
  }
}
