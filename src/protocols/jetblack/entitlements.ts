import type { Entitlements, Packet } from './messages.ts'

/** What a subscriber may see of the packets of a pair. `null`: all. */
export type Entitled = ReadonlySet<number> | null

/** Equal for equal ones. */
export function keyOfEntitled(entitled: Entitled): string {
  return entitled === null ? '' : `:${[...entitled].toSorted((a, b) => a - b).join(',')}`
}

/** Those that name entitlements, all of which are held: one that names none is not for whoever needs some (dossier 4.7). */
export function visiblePackets(
  packets: readonly Packet[] | null,
  entitled: Entitled,
): readonly Packet[] | null {
  if (packets === null || entitled === null) return packets
  return packets.filter(
    ({ entitlements }) => entitlements !== null && isHeld(entitlements, entitled),
  )
}

function isHeld(entitlements: Entitlements, entitled: ReadonlySet<number>): boolean {
  for (const each of entitlements) if (!entitled.has(each)) return false
  return true
}
