import { once } from 'node:events'
import { request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import { text } from 'node:stream/consumers'
import { FIRST } from '../config/certificates.ts'
import { TemporaryFiles } from '../config/temporary-files.ts'
import type { RunningServer } from '../running-server.ts'
import { shared } from '../shared.ts'
import { RawClient } from './raw-client.ts'
import { startPubsub } from './requests.ts'

/** A server as its clients reach it: port and URL are those of the way. */
export interface ReachedServer extends RunningServer {
  readonly isTls: boolean
  /** What the server sends as one HTTP chunk comes as one. */
  readonly keepsChunks: boolean
  connect(): Promise<RawClient>
}

/** What is between a client and the server. */
export interface Way {
  readonly name: string
  /** `false`, or why it cannot be gone here. */
  readonly missing: string | false
  /** The server learns at once that a client has gone which is sent nothing. */
  readonly noticesDepartures: boolean
  start(...config: Parameters<typeof startPubsub>): Promise<ReachedServer>
}

export const PLAIN: Way = {
  name: 'plain',
  missing: false,
  noticesDepartures: true,
  start: async (...config) => reached(await startPubsub(...config), { isTls: false }),
}

export const TLS: Way = {
  name: 'TLS',
  missing: false,
  noticesDepartures: true,
  async start(config, acl) {
    using files = new TemporaryFiles() // read at the start only
    const tls = {
      port: 0,
      cert: files.write('cert.pem', FIRST.certPem),
      key: files.write('key.pem', FIRST.keyPem),
    }
    const server = await startPubsub({ ...config, server: { ...config?.server, tls } }, acl)
    return reached({ ...server, port: server.tlsPort! }, { isTls: true })
  },
}

export function reached(
  server: RunningServer,
  { isTls, keepsChunks = true }: { isTls: boolean; keepsChunks?: boolean },
): ReachedServer {
  return {
    ...server,
    isTls,
    keepsChunks,
    url: `${isTls ? 'https' : 'http'}://127.0.0.1:${server.port}`,
    connect: () => RawClient.open(server.port, { tls: isTls }),
  }
}

/** One server for all tests of a suite. */
export function sharedOver(
  way: Way,
  ...config: Parameters<typeof startPubsub>
): () => ReachedServer {
  return shared(() => way.start(...config))
}

/** A whole answer. */
export async function askOver(
  { url, isTls }: { readonly url: string; readonly isTls: boolean },
  target: string,
  {
    method = 'GET',
    headers = {},
    body,
    from,
  }: {
    method?: string
    headers?: Readonly<Record<string, string>>
    body?: string
    /** Address of this machine that the request comes from. */
    from?: string
  } = {},
): Promise<{ status: number; text: string }> {
  const options = {
    method,
    headers,
    agent: false,
    ca: FIRST.certPem,
    ...(from === undefined ? {} : { localAddress: from }),
  } as const
  const request = (isTls ? requestTls : requestPlain)(url + target, options)
  request.end(body)
  const [response] = await once(request, 'response')
  return { status: response.statusCode, text: await text(response) }
}
