import { createReadStream, statSync } from 'node:fs'
import { Readable } from 'node:stream'
import { GaveUpError } from '../client/client-error.ts'
import { Publisher } from '../client/publisher.ts'
import { printable } from '../ops/logger.ts'
import { readArguments, UsageError } from './arguments.ts'
import { authorizationFor } from './authorization.ts'
import { parseCount } from './count.ts'
import { parseDuration } from './duration.ts'
import { EXIT } from './exit-code.ts'
import { parseHeaderWord } from './header-word.ts'
import { ProgressBar } from './progress-bar.ts'
import { inputObjects, type InputObject } from './published-input.ts'
import { ReadAhead } from './read-ahead.ts'
import type { Command } from './run-command.ts'
import { parseServerUrl, withTopics } from './server-url.ts'
import { StopSignals } from './stop-signals.ts'

const HELP = `pubsubd publish: publishes JSON objects.

Usage: pubsubd publish URL [FILE|-] [options]

FILE, or standard input, holds one JSON object, over any number of lines, or one on each line. Those are published in
order, many in one request where the server can, as soon as they come. The cursor of the last one is printed.

  -d, --data JSON      publish this object instead of a file
  -t, --topic TOPIC    one more topic behind those of the URL; may be given again
  -i, --idempotent     with an Idempotency-Key, so that what is sent again is published once
      --key KEY        with this key, so that even a second run with the same input publishes nothing twice
  -u, --user NAME[:PASSWORD]   else of the URL, PUBSUBD_USER and PUBSUBD_PASSWORD, or ~/.netrc (NETRC names another file)
      --retry-for TIME how long one publication is tried while the server is away or not ready (default: 5m; 0: once)
      --batch N        events in one request at most (default: 1000)

Exit code: 0 all is published, 1 the input is wrong, 2 wrong usage, 3 the server refused, 4 no server, or none that was
ready, for as long as --retry-for, or one that cannot tell whether it stored an event without a key, 130 or 143 interrupted.
Behind an error it is told how many events were published before.

Examples:
  pubsubd publish http://localhost:2069/fruits -d '{"text": "Apples are delicious"}'
  pubsubd publish http://localhost:2069/builds build.json --topic 17
  journalctl -f -o json | pubsubd publish -i http://localhost:2069/journal
  pubsubd publish -u alice http://localhost:2069/private/audit audit.ndjson
`

const OPTIONS = {
  data: { type: 'string', short: 'd' },
  topic: { type: 'string', short: 't', multiple: true },
  idempotent: { type: 'boolean', short: 'i' },
  key: { type: 'string' },
  user: { type: 'string', short: 'u' },
  'retry-for': { type: 'string', default: '5m' },
  batch: { type: 'string', default: '1000' },
} as const

export const publishCommand: Command = {
  help: HELP,
  options: OPTIONS,
  run: publish,
}

async function publish(words: readonly string[]): Promise<number> {
  const { values, names } = readArguments(words, OPTIONS, 2)
  const [urlText, file] = names
  const url = withTopics(parseServerUrl(urlText), values.topic ?? [])
  const countMax = parseCount('--batch', values.batch)
  const retryForMs = parseDuration('--retry-for', values['retry-for'])
  const key = values.key === undefined ? undefined : parseHeaderWord('--key', values.key)
  const authorization = await authorizationFor(url, values.user)
  const { input, bytes } = inputOf(file, values.data)
  const stop = new StopSignals()
  using bar = new ProgressBar('publishing')
  using publisher = new Publisher({
    url,
    authorization,
    isIdempotent: values.idempotent === true,
    retryForMs,
    signal: stop.signal,
    tell,
  })
  let bytesRead = 0
  const objects = inputObjects(counted(input, (size) => (bytesRead += size)))
  const ahead = new ReadAhead(objects, {
    countMax,
    sizeMax: BATCH_CHARACTERS_MAX,
    sizeOf: ({ text }) => text.length,
  })
  try {
    for (;;) {
      // What is there is sent at once; with a key of one's own batches must be the same ones in each run.
      const isFull = key !== undefined
      const batch = await ahead.next({ isFull, signal: stop.signal })
      if (batch === null) break
      await publishBatch(publisher, batch, key)
      bar.show(bytesRead, bytes, `${publisher.published} events`)
    }
  } catch (error) {
    bar[Symbol.dispose]()
    tellPublished(publisher)
    if (stop.exitCode === null || !(error instanceof GaveUpError)) throw error
    tell(error.message)
    return stop.exitCode
  } finally {
    input.destroy() // else we would wait for more
  }
  if (publisher.cursor !== null) process.stdout.write(`${printable(publisher.cursor)}\n`)
  if (stop.exitCode !== null) tellPublished(publisher)
  return stop.exitCode ?? EXIT.done
}

/** @throws {RefusedError} {GaveUpError} naming the line of the input. */
async function publishBatch(
  publisher: Publisher,
  batch: readonly InputObject[],
  key: string | undefined,
): Promise<void> {
  const before = publisher.published
  const batchKey = key === undefined || before === 0 ? key : `${key}+${before}`
  try {
    await publisher.publish(
      batch.map(({ text }) => text),
      batchKey,
    )
  } catch (error) {
    const { line } = batch[publisher.published - before]!
    const { message } = error as Error
    // A batch tells which of its own lines is wrong, and those before it are published by now.
    const sentence = message.split('; nothing of the batch', 1)[0]!.replace(/\bline \d+: /g, '')
    ;(error as Error).message = line === 1 ? sentence : `line ${line}: ${sentence}`
    throw error
  }
}

/** `bytes` 0: nobody knows how many. */
function inputOf(
  file: string | undefined,
  data: string | undefined,
): { readonly input: Readable; readonly bytes: number } {
  if (data !== undefined) {
    if (file !== undefined) throw new UsageError('either --data or a file, not both')
    // An empty file may be the output of a command that had nothing to tell; an empty word is a variable that was never set.
    if (data.trim() === '') throw new UsageError('--data is empty; an object is at least {}')
    return { input: Readable.from([Buffer.from(data)]), bytes: 0 }
  }
  if (file === undefined && process.stdin.isTTY)
    throw new UsageError('name a file, pipe events in, or give --data')
  if (file === undefined || file === '-') return { input: process.stdin, bytes: 0 }
  const stats = statSync(file)
  if (stats.isDirectory()) throw new UsageError(`${file} is a directory`)
  return { input: createReadStream(file), bytes: stats.size }
}

async function* counted(input: Readable, onRead: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of input as AsyncIterable<Buffer>) {
    onRead(chunk.length)
    yield chunk
  }
}

function tell(sentence: string): void {
  process.stderr.write(`pubsubd publish: ${printable(sentence)}\n`)
}

function tellPublished({ published, cursor }: Publisher): void {
  if (published > 0)
    tell(`events published before: ${published}${cursor === null ? '' : `, the last is ${cursor}`}`)
}

/** A megabyte of events is sent in one request, unless one alone is larger. */
const BATCH_CHARACTERS_MAX = 2 ** 20
