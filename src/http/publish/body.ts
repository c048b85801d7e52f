import type { IncomingMessage } from 'node:http'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib'
import type { PubSubError } from '../../publication/errors.ts'
import { HttpError } from '../server/errors.ts'

export interface BodyLimit {
  readonly bytesMax: number
  readonly tooLarge: () => PubSubError
}

/**
 * The body of a request, unpacked. `null`: it was cut off, and there is nobody to answer. `onAccepted` is called before the
 * first byte of it is read, unless what the head says of it is enough to refuse it.
 * @throws what `tooLarge` makes: what arrives, or what comes out of it, exceeds the limit.
 * @throws {BadRequestError} its Content-Encoding is unknown or does not hold.
 */
export async function readBody(
  request: IncomingMessage,
  { bytesMax, tooLarge }: BodyLimit,
  onAccepted: () => void,
): Promise<Buffer | null> {
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() || 'identity'
  const decode = decoders.get(encoding)
  if (decode === undefined)
    throw new HttpError(
      'BAD_REQUEST',
      `unknown Content-Encoding, use ${[...decoders.keys()].join(', ')}`,
    )
  const announced = Number(request.headers['content-length'] ?? 0)
  if (announced > bytesMax) throw tooLarge()
  onAccepted()
  const body = await collect(request, { bytesMax, tooLarge })
  if (body === null || decode === null) return body
  try {
    return await decode(body, { maxOutputLength: bytesMax })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge()
    throw new HttpError('BAD_REQUEST', `the body is not ${encoding}`, { cause: error })
  }
}

type Decoder = (packed: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>

const inflateAsync = promisify<Buffer, object, Buffer>(inflate)
const inflateRawAsync = promisify<Buffer, object, Buffer>(inflateRaw)

/** What aiohttp, and so PyPubSub, unpacks. */
const decoders = new Map<string, Decoder | null>([
  ['identity', null],
  ['gzip', promisify<Buffer, object, Buffer>(gunzip)],
  // Some senders leave out the zlib header, whose low four bits are 8.
  [
    'deflate',
    (packed, options) =>
      ((packed[0] ?? 0) & 0x0f) === 8
        ? inflateAsync(packed, options)
        : inflateRawAsync(packed, options),
  ],
  ['br', promisify<Buffer, object, Buffer>(brotliDecompress)],
])

function collect(
  request: IncomingMessage,
  { bytesMax, tooLarge }: BodyLimit,
): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const onData = (chunk: Buffer) => {
      bytes += chunk.length
      chunks.push(chunk)
      if (bytes <= bytesMax) return
      request.off('data', onData).off('end', onEnd)
      reject(tooLarge())
    }
    const onEnd = () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks))
    request.on('data', onData).on('end', onEnd)
    request.on('error', () => resolve(null)).on('close', () => resolve(null))
  })
}
