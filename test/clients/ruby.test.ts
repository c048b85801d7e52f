import { clientContract } from './client-contract.ts'
import { missing } from '../programs.ts'
import { listenWith, publishWith } from './script-client.ts'

clientContract("Ruby's Net::HTTP", missing('ruby'), {
  listen: (url, options) => listenWith('ruby', 'ruby_listen.rb', url, options),
  async publish(url, payload, options) {
    const [answer] = await publishWith('ruby', 'ruby_publish.rb', url, payload, options)
    return answer!
  },
  trusting: (certificate) => ({ SSL_CERT_FILE: certificate }),
  cannot: { readLongLines: 'read_body hands over a chunk in pieces of at most 16 KiB' },
})
