import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WorkerPeer } from '../../../src/log/sqlite/worker-peer.ts'
import type { EchoingThread } from './echoing-thread.ts'

const SOURCE = new URL('./echoing-thread.ts', import.meta.url)

test('calls are answered with what the methods return, in the order of the calls', async () => {
  await using opened = open()
  const { peer } = opened
  const order: number[] = []
  const counts = Array.from({ length: 50 }, () =>
    peer.call('count', undefined).then((count) => order.push(count)),
  )
  const words = { text: 'é\0', bytes: new Uint8Array([1, 2]), list: [null, undefined, 1n] }
  assert.deepEqual(await peer.call('echo', words), words)
  await Promise.all(counts)
  assert.deepEqual(
    order,
    Array.from({ length: 50 }, (_, i) => i + 1),
  )
  assert.deepEqual(await peer.call('data', undefined), 'some data')
})

test('what a method throws is thrown to its caller, with the code of SQLite, and the next call is answered', async () => {
  await using opened = open()
  const { peer } = opened
  const failed = peer.call('fail', { message: 'disk full', errcode: 13 })
  const next = peer.call('echo', 1)
  await assert.rejects(failed, (error: Error & { errcode?: number }) => {
    assert.equal(error.message, 'disk full')
    assert.equal(error.errcode, 13)
    assert.match(error.stack!, /echoing-thread\.ts/)
    return true
  })
  assert.equal(await next, 1)
})

test('when the thread ends by itself, every call is refused, and it is told once', async () => {
  await using opened = open()
  const { peer, crashes } = opened
  const calls = [peer.call('exit', undefined), peer.call('echo', 1)]
  await Promise.all(calls.map((call) => assert.rejects(call, { message: 'the thread ended' })))
  await assert.rejects(peer.call('echo', 2), { message: 'the thread ended' })
  await peer.terminate()
  assert.deepEqual(
    crashes.map(({ message }) => message),
    ['the thread ended'],
  )
})

test('what nothing in the thread has caught is told as the reason of its end', async () => {
  const { promise, resolve } = Promise.withResolvers<Error>()
  const peer = new WorkerPeer<EchoingThread>(SOURCE, 'some data', resolve)
  await peer.call('crash', 'a bug')
  assert.equal((await promise).message, 'a bug')
  await assert.rejects(peer.call('echo', 1), { message: 'a bug' })
})

test('a thread that cannot even begin is told like one that ends', async () => {
  const { promise, resolve } = Promise.withResolvers<Error>()
  const source = new URL('./no-such-thread.ts', import.meta.url)
  const peer = new WorkerPeer<EchoingThread>(source, null, resolve)
  await assert.rejects(peer.call('echo', 1), /no-such-thread/)
  assert.match((await promise).message, /no-such-thread/)
})

test('a thread that is stopped answers nobody, whatever it is busy with, and that is no crash', async () => {
  await using opened = open()
  const { peer, crashes } = opened
  await peer.call('echo', 1)
  const calls = [peer.call('hang', undefined), peer.call('echo', 2)]
  const refused = calls.map((call) => assert.rejects(call, { message: 'the thread was stopped' }))
  await peer.terminate()
  await Promise.all(refused)
  await assert.rejects(peer.call('echo', 3), { message: 'the thread was stopped' })
  await peer.terminate()
  assert.deepEqual(crashes, [])
})

function open() {
  const crashes: Error[] = []
  const peer = new WorkerPeer<EchoingThread>(SOURCE, 'some data', (error) => crashes.push(error))
  return { peer, crashes, [Symbol.asyncDispose]: () => peer.terminate() }
}
