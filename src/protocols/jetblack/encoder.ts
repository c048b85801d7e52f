import type { ClientId, Data, Mark, Packet, Sender, ServerMessage, Wire } from './messages.ts'

/** A message as this wire has it (dossier 2.2). */
export function encoded(message: ServerMessage, wire: Wire): Buffer {
  const output = new Output()
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

/** Fields one behind the other. */
class Output {
  readonly #parts: Buffer[] = []

  byte(value: number): void {
    this.#parts.push(Buffer.of(value))
  }

  integer(value: number): void {
    const bytes = Buffer.allocUnsafe(4)
    bytes.writeInt32BE(value)
    this.#parts.push(bytes)
  }

  string(value: string): void {
    const length = Buffer.byteLength(value)
    const bytes = Buffer.allocUnsafe(4 + length)
    bytes.writeInt32BE(length)
    bytes.write(value, 4)
    this.#parts.push(bytes)
  }

  clientId(id: ClientId): void {
    this.#parts.push(Buffer.from(id, 'hex'))
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
    this.integer(packets?.length ?? 0)
    for (const { entitlements, data } of packets ?? []) {
      this.integers(entitlements)
      this.integer(data?.length ?? 0)
      if (data !== null) this.#parts.push(Buffer.from(data.buffer, data.byteOffset, data.length))
    }
  }

  integers(values: readonly number[] | null): void {
    this.integer(values?.length ?? 0)
    for (const value of values ?? []) this.integer(value)
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts)
  }
}
