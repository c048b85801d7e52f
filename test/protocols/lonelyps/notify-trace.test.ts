import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { NotifyTrace } from '../../../src/protocols/lonelyps/notify-trace.ts'
import { startInProcess } from '../../in-process-server.ts'
import { shared } from '../../shared.ts'
import { vectorsOf } from '../../conformance/lonelyps/vectors.ts'
import { ask, notifyBody, Receiver, subscribeBody } from './receiver.ts'
import { traceOf, traceOfAnswer } from './trace-of.ts'

const server = shared(() =>
  startInProcess({
    config: `
server: {bind: 127.0.0.1, port: 0}
clients: {payloaders: [127.0.0.1]}
protocols: {lonelyps: {webhooks: {allow: [127.0.0.1]}}}
`,
  }),
)

async function notified(topic: string) {
  const { status, body } = await ask(server().url, '/v1/notify', notifyBody(topic, 'x'))
  assert.equal(status, 200)
  return traceOfAnswer(body)
}

test('an answer has the moments that the reference tells, in its order', async () => {
  const answer = vectorsOf('http-response').find(
    ({ name }) => name === 'http.none.broadcaster.v1.notify.2.response', // to nobody
  )!
  const expected = traceOfAnswer(Buffer.from(answer.encoded_hex, 'hex'))
  const { records } = await notified('nobody')
  assert.deepEqual(
    records.map(({ name, extra }) => [name, extra]),
    expected.records.map(({ name, extra }) => [name, extra]),
  )
})

test('it has each webhook that was confirmed', async () => {
  await using one = await Receiver.start()
  await using other = await Receiver.start()
  await using failing = await Receiver.start()
  failing.manner = 'fail'
  for (const { url } of [one, other, failing])
    await ask(server().url, '/v1/subscribe/exact', subscribeBody(url, 'a'))
  const { records } = await notified('a')
  assert.deepEqual(
    records.map(({ name, extra }) => [name, JSON.parse(extra)]),
    [
      ['auth_tentatively_accepted', {}],
      ['auth_accepted', {}],
      ['receive_confirmed', { num_subscribers: 1 }],
      ['receive_confirmed', { num_subscribers: 1 }],
      ['no_more_subscribers', {}],
    ],
  )
})

test('its times do not go back, from when the request came to when the answer goes', async () => {
  const { records, receivedNs, sentNs, isTruncated } = await notified('nobody')
  const times = records.map(({ atMs }) => atMs)
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  )
  const aMicrosecond = 0.001 // to which doubles of seconds are exact
  assert.ok(times[0]! >= Number(receivedNs) / 1e6 - aMicrosecond)
  assert.ok(times.at(-1)! <= Number(sentNs) / 1e6 + aMicrosecond)
  assert.equal(isTruncated, false)
})

test('a step of the clock does not put its times out of order', () => {
  mock.timers.enable({ apis: ['Date'], now: 1_700_000_000_000 })
  try {
    const trace = new NotifyTrace()
    mock.timers.setTime(1_600_000_000_000)
    trace.record('auth_accepted')
    const { records, receivedNs, sentNs } = traceOf(trace.tracing())
    assert.equal(receivedNs, 1_700_000_000_000_000_000n)
    assert.ok(records[0]!.atMs >= 1_700_000_000_000)
    assert.ok(sentNs >= receivedNs)
  } finally {
    mock.timers.reset()
  }
})

test('what does not fit is left out, and that is told', () => {
  const trace = new NotifyTrace()
  for (let n = 0; n < 10_000; n++) trace.record('receive_confirmed', { num_subscribers: n })
  const tracing = trace.tracing()
  assert.ok(tracing.length <= 65_535)
  assert.ok(tracing.length > 65_000)
  const { isTruncated, records } = traceOf(tracing)
  assert.equal(isTruncated, true)
  assert.equal(records.at(-1)!.extra, JSON.stringify({ num_subscribers: records.length - 1 }))
})
