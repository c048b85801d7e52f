import { missing } from '../programs.ts'
import { startNginx } from './nginx.ts'
import { startPubsub } from './requests.ts'
import { reached, type Way } from './ways.ts'

/** Debian's nginx with the configuration that docs/proxies.md ships, in front of the plain port. */
export const NGINX: Way = {
  name: 'nginx',
  missing: missing('nginx'),
  async start({ clients, ...config } = {}, acl) {
    const trusting = { ...clients, trust_proxy: ['127.0.0.1'] }
    const server = await startPubsub({ ...config, clients: trusting }, acl)
    const nginx = await startNginx(server.port)
    return reached(
      {
        ...server,
        port: nginx.port,
        async [Symbol.asyncDispose]() {
          await nginx[Symbol.asyncDispose]()
          await server[Symbol.asyncDispose]()
        },
      },
      { isTls: true, keepsChunks: false },
    )
  },
}
