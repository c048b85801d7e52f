import { after, before } from 'node:test'

/** What all tests of a file or group use: begun at once, ended behind the last of them. */
export function shared<T extends AsyncDisposable>(start: () => Promise<T>): () => T {
  const starting = start() // all of a file at once
  starting.catch(() => {}) // `before` fails
  let value: T
  before(async () => {
    value = await starting
  })
  after(() => value?.[Symbol.asyncDispose]())
  return () => value
}
