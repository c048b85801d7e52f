// Server-sent events by a library of npm, as its page shows it: sse_listen.mjs LIBRARY URL. All of these come back by themselves.
const [library, url] = process.argv.slice(2)

const NAMED = ['opened', 'stillalive', 'gap', 'closing']

const libraries = {
  async eventsource() {
    const { EventSource } = await import('eventsource')
    follow(new EventSource(url))
  },
  async undici() {
    const { EventSource } = await import('undici')
    follow(new EventSource(url))
  },
  async 'eventsource-client'() {
    const { createEventSource } = await import('eventsource-client')
    createEventSource({ url, onMessage: ({ event, id, data }) => tell(event, id, data) })
  },
  async '@microsoft/fetch-event-source'() {
    // It is made for pages, and asks whether its own can be seen.
    globalThis.window = globalThis
    globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} }
    const { fetchEventSource } = await import('@microsoft/fetch-event-source')
    await fetchEventSource(url, { onmessage: ({ event, id, data }) => tell(event, id, data) })
    process.exit() // it has ended
  },
}

function follow(source) {
  // While they wait to come back they do not keep the process going.
  setInterval(() => {}, 60_000)
  for (const name of ['message', ...NAMED])
    source.addEventListener(name, ({ data, lastEventId: id }) => tell(name, id, data))
  source.addEventListener('error', () => {
    if (source.readyState === source.CLOSED) process.exit()
  })
}

function tell(name, id, data) {
  let n
  try {
    ;({ n } = JSON.parse(data))
  } catch {
    n = 'no JSON'
  }
  console.log(JSON.stringify({ name: name || 'message', id, n, length: data.length }))
}

await libraries[library]()
