import { PROXIES, startProxy, type Proxy } from './proxy.ts'
import { startPubsub } from './requests.ts'
import { reached, type Way } from './ways.ts'

/** A proxy with the configuration that docs/proxies/ ships, in front of the plain port. */
export function wayThrough(proxy: Proxy): Way {
  return {
    name: proxy.name,
    missing: proxy.missing,
    noticesDepartures: proxy.noticesDepartures,
    async start({ clients, ...config } = {}, acl) {
      const trusting = { ...clients, trust_proxy: ['127.0.0.1'] }
      const server = await startPubsub({ ...config, clients: trusting }, acl)
      const running = await startProxy(proxy, server.port)
      return reached(
        {
          ...server,
          port: running.port,
          async [Symbol.asyncDispose]() {
            await running[Symbol.asyncDispose]()
            await server[Symbol.asyncDispose]()
          },
        },
        { isTls: true, keepsChunks: false },
      )
    },
  }
}

export const WAYS_THROUGH_PROXIES: readonly Way[] = Object.values(PROXIES).map(wayThrough)
