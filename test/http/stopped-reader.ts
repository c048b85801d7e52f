import assert from 'node:assert/strict'
import { RawClient } from './raw-client.ts'
import { listen, put, type Reached } from './requests.ts'

/** More than the kernel takes for a peer that does not read, and the queue on top. */
export const EVENTS = 150
const FILLING = 'x'.repeat(90_000)

/** Publishes so many numbered events of 90 KB. */
export async function flood(server: Reached, from: number, to: number): Promise<void> {
  await using publisher = await RawClient.open(server.port)
  for (let n = from; n < to; n++) {
    const { status } = await publisher.ask(put('/flood', `{"n": ${n}, "filling": "${FILLING}"}`))
    assert.equal(status, 202)
  }
}

/** A stream whose reader has stopped. */
export async function stopReading(server: Reached): Promise<RawClient> {
  // With a parameter of ours, so that it is told why it ends.
  const stream = await listen(server, '/flood?on_gap=oldest')
  stream.socket.pause()
  return stream
}
