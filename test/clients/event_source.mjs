// Follows a URL by the EventSource of a package: its name, URL. What fires is printed as lines of JSON.
const [library, url] = process.argv.slice(2)
const { EventSource } = await import(library)
const source = new EventSource(url)
for (const type of ['open', 'message', 'error'])
  source.addEventListener(type, ({ data }) => {
    const n = type === 'message' ? { n: JSON.parse(data).n } : {}
    process.stdout.write(`${JSON.stringify({ type, ...n, hasGivenUp: source.readyState === 2 })}\n`)
  })
setInterval(() => {}, 60_000) // as long as it is not killed, whatever has become of the source
