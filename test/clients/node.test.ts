import { clientContract } from './client-contract.ts'
import { listenWith, publishWith } from './script-client.ts'

const NODE = process.execPath

clientContract("Node's http.get", false, {
  listen: (url, options) => listenWith(NODE, 'node_listen.mjs', url, options),
  async publish(url, payload, options) {
    const [answer] = await publishWith(NODE, 'node_publish.mjs', url, payload, options)
    return answer!
  },
  trusting: (certificate) => ({ NODE_EXTRA_CA_CERTS: certificate }),
  cannot: { keepBigIntegers: 'JSON.parse rounds them' },
})
