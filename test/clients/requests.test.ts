import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { clientContract } from './client-contract.ts'
import { PYTHON, missing } from '../programs.ts'
import { newTopic, OLD_SCHOOLER, publish, RECEIVED, sharedPubsub } from './pubsub-server.ts'
import { listenWith, publishWith } from './script-client.ts'

clientContract("Python's requests", missing('asfpy'), {
  listen: (url, options) => listenWith(PYTHON, 'requests_listen.py', url, options),
  async publish(url, payload, options) {
    const [answer] = await publishWith(PYTHON, 'requests_publish.py', url, payload, options)
    return answer!
  },
  trusting: (certificate) => ({ REQUESTS_CA_BUNDLE: certificate }),
})

describe("Python's requests, further", { skip: missing('asfpy'), concurrency: 4 }, () => {
  const server = sharedPubsub()

  for (const method of ['PUT', 'POST'])
    test(`a session publishes one event after the other with ${method} and json=`, async () => {
      const url = `${server().url}/${newTopic()}`
      await using listener = await listenWith(PYTHON, 'requests_listen.py', url).opened()
      const options = { method, times: 3 }
      const answers = await publishWith(PYTHON, 'requests_publish.py', url, '{"n": 1}', options)
      assert.deepEqual(
        answers,
        [1, 2, 3].map(() => ({ status: 202, body: RECEIVED })),
      )
      assert.deepEqual(await listener.numbers(3), [1, 1, 1])
    })

  test('a reader of the old school, such as svnwcsub, splits its stream at the NULs', async () => {
    const topic = newTopic()
    const headers = { 'User-Agent': `${OLD_SCHOOLER}/1.0` }
    const reading = listenWith(PYTHON, 'requests_listen.py', `${server().url}/${topic}`, {
      headers,
      delimiter: '\0',
    })
    await using listener = await reading.opened()
    await publish(server(), `/${topic}`, { n: 1, text: '\0' })
    await publish(server(), `/${topic}`, { n: 2 })
    assert.deepEqual(await listener.numbers(2), [1, 2])
  })
})
