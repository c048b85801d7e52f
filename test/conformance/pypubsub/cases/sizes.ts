import { exchange, request, utf8, watched, type Case } from '../case.ts'
import type { ConfigName } from '../configs.ts'

/** An object of exactly this many bytes. */
function objectOf(bytes: number): string {
  return `{"a": "${'x'.repeat(bytes - 9)}"}`
}

function chunked(body: string, headers: readonly string[] = []): string {
  return request('PUT', '/x', {
    headers: ['Transfer-Encoding: chunked', ...headers],
    body: `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
  })
}

const put = (body: string) => request('PUT', '/x', { body })

/** `open` takes 1,000 bytes, `bare` the default of 102,400. */
const sizes: Readonly<Record<string, readonly [ConfigName, string]>> = {
  'of exactly the limit': ['open', put(objectOf(1_000))],
  'of one byte more than the limit': ['open', put(objectOf(1_001))],
  'that is longer in bytes than in characters': ['open', put(utf8(`{"a": "${'ë'.repeat(500)}"}`))],
  'of one byte more than the limit in a chunk': ['open', chunked(objectOf(1_001))],
  'too large and not JSON': ['open', put('x'.repeat(1_001))],
  'of exactly the default limit': ['bare', put(objectOf(102_400))],
  'of exactly the default limit in a chunk': ['bare', chunked(objectOf(102_400))],
  'of one byte more than the default limit': ['bare', put(objectOf(102_401))],
}

/** Compressed by Python's gzip and zlib. */
const compressed = {
  gzip: 'H4sIAAAAAAACA6tWSlSyUjCsBQCXjqH7CAAAAA==',
  zlib: 'eJyrVkpUslIwrAUACeUCKQ==',
  rawDeflate: 'q1ZKVLJSMKwFAA==',
  gzipOfGzip: 'H4sIAAAAAAACA5Pv5mAAASbm1WFeIZuCDNawMkzvW/gbJAoAQf/vABwAAAA=',
  gzipOf1000Bytes: 'H4sIAAAAAAACA6tWSlSyUlCqGAWjYBQMV6BUCwDCtyR+6AMAAA==',
  gzipOf2009Bytes: 'H4sIAAAAAAACA6tWSlSyUlCqGAWjYBSMglEwCkbBkAdKtQAKirI+2QcAAA==',
  zlibOf2009Bytes: 'eJyrVkpUslJQqhgFo2AUjIJRMApGwZAHSrUAwdSr6Q==',
  brotli: 'iwOAeyJhIjogMX0D',
}

function encoded(encoding: string, base64: string, length?: number): string {
  return request('PUT', '/x', {
    headers: [`Content-Encoding: ${encoding}`],
    body: Buffer.from(base64, 'base64').toString('latin1').slice(0, length),
  })
}

const encodings: Readonly<Record<string, string>> = {
  gzip: encoded('gzip', compressed.gzip),
  'GZIP in capitals': encoded('GZIP', compressed.gzip),
  'x-gzip': encoded('x-gzip', compressed.gzip),
  deflate: encoded('deflate', compressed.zlib),
  'deflate without its zlib header': encoded('deflate', compressed.rawDeflate),
  brotli: encoded('br', compressed.brotli),
  identity: request('PUT', '/x', { headers: ['Content-Encoding: identity'], body: '{"a": 1}' }),
  nothing: request('PUT', '/x', { headers: ['Content-Encoding:'], body: '{"a": 1}' }),
  'an unknown encoding': request('PUT', '/x', {
    headers: ['Content-Encoding: tea'],
    body: '{"a": 1}',
  }),
  'gzip within gzip': encoded('gzip, gzip', compressed.gzipOfGzip),
  'gzip that unpacks to exactly the limit': encoded('gzip', compressed.gzipOf1000Bytes),
  'gzip that unpacks beyond the limit': encoded('gzip', compressed.gzipOf2009Bytes),
  'deflate that unpacks beyond the limit': encoded('deflate', compressed.zlibOf2009Bytes),
  'gzip in a chunk': chunked(Buffer.from(compressed.gzip, 'base64').toString('latin1'), [
    'Content-Encoding: gzip',
  ]),
  'gzip that is none': request('PUT', '/x', {
    headers: ['Content-Encoding: gzip'],
    body: '{"a": 1}',
  }),
  'gzip that is cut off': encoded('gzip', compressed.gzip, 20),
  'gzip with an empty body': request('PUT', '/x', {
    headers: ['Content-Encoding: gzip'],
    body: '',
  }),
  'gzip of something that is no JSON': encoded('gzip', compressed.gzipOfGzip),
}

const followed = (bytes: string) =>
  watched(
    ...exchange('client', bytes),
    ...exchange('client', request('PUT', '/second', { body: '{"next": 1}' })),
  )

/** Too large to be read away: what happens to the connection is ours to choose. */
const hugeCases: readonly Case[] = [
  {
    name: 'a body of 1 MiB and a byte',
    config: 'bare',
    steps: watched(...exchange('client', put(objectOf(1_048_577)))),
  },
  {
    name: 'a body of 1 MiB and a byte in a chunk',
    config: 'bare',
    steps: watched(...exchange('client', chunked(objectOf(1_048_577)))),
  },
]

export const sizeCases: readonly Case[] = [
  ...hugeCases,
  ...Object.entries(sizes).map(([what, [config, bytes]]): Case => ({
    name: `a body ${what}`,
    config,
    steps: followed(bytes),
  })),
  ...Object.entries(encodings).map(([what, bytes]): Case => ({
    name: `a body encoded as ${what}`,
    config: 'open',
    steps: followed(bytes),
  })),
]
