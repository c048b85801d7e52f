import { IncomingMessage, ServerResponse } from 'node:http'
import process from 'node:process'
import { queryObjects } from 'node:v8'

/** Imported into a server: at SIGWINCH it prints how many requests and responses are in its memory. */
process.on('SIGWINCH', () => {
  const [requests, responses] = [IncomingMessage, ServerResponse].map((kind) =>
    queryObjects(kind as unknown as () => void, { format: 'count' }),
  )
  console.log(`kept: ${requests} requests, ${responses} responses`)
})
