import type { ClientId, Data, Mark, Packet, Sender, ServerMessage, Wire } from './messages.ts'
import { Output } from './output.ts'

/** A message as this wire has it (dossier 2.2). */
export function encoded(message: ServerMessage, wire: Wire): Buffer {
  const output = new Fields(message)
  switch (message.type) {
    case 'multicast':
      output.byte(8)
      output.sender(message)
      break
    case 'unicast':
      output.byte(9)
      output.sender(message)
      output.clientId(message.clientId)
      break
    case 'subscription':
      output.byte(3)
      output.sender(message)
      output.clientId(message.clientId)
      output.pair(message)
      output.byte(message.isAdd ? 1 : 0)
      return output.bytes()
    case 'authorization-request':
      output.byte(6)
      output.clientId(message.clientId)
      output.string(message.host) // the other way round than everywhere else
      output.string(message.user)
      output.pair(message)
      return output.bytes()
  }
  const { mark, packets } = message
  output.pair(message)
  const shown = markOn(wire, mark, message.type === 'unicast' || packets === null)
  if (typeof shown === 'boolean') output.byte(shown ? 1 : 0)
  else output.string(shown)
  output.packets(packets)
  return output.bytes()
}

/**
 * A mark of the other wire is shown as what it comes nearest to. `isWhole`: whoever published by content type has no word for an image; one that
 * is sent to one client alone is one.
 */
function markOn(wire: Wire, mark: Mark, isWhole: boolean): Mark {
  if (wire === 'content-type') return typeof mark === 'boolean' ? '' : mark
  return typeof mark === 'boolean' ? mark : isWhole
}

/** Fields as this protocol has them (dossier 2.1). */
class Fields {
  readonly #output: Output

  constructor(message: ServerMessage) {
    const packets = 'packets' in message ? (message.packets ?? []) : []
    let expected = SMALL_BYTES
    for (const { entitlements, data } of packets)
      expected += 8 + 4 * (entitlements?.length ?? 0) + (data?.length ?? 0)
    this.#output = new Output(expected)
  }

  byte(value: number): void {
    this.#output.byte(value)
  }

  string(value: string): void {
    const length = Buffer.byteLength(value)
    this.#output.integer(length)
    this.#output.text(value, length)
  }

  clientId(id: ClientId): void {
    this.#output.bytes(Buffer.from(id, 'hex'))
  }

  sender({ user, host }: Sender): void {
    this.string(user)
    this.string(host)
  }

  pair({ feed, topic }: Pick<Data, 'feed' | 'topic'>): void {
    this.string(feed)
    this.string(topic)
  }

  packets(packets: readonly Packet[] | null): void {
    const output = this.#output
    output.integer(packets?.length ?? 0)
    for (const { entitlements, data } of packets ?? []) {
      output.integer(entitlements?.length ?? 0)
      if (entitlements !== null) output.integers(entitlements)
      output.integer(data?.length ?? 0)
      if (data !== null) output.bytes(data)
    }
  }

  bytes(): Buffer {
    return this.#output.all
  }
}

/** All but packets, mostly. */
const SMALL_BYTES = 256
