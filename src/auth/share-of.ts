import { addressBlock } from './address-block.ts'
import { nameKey } from './name.ts'

/**
 * Who shall not have more than others: whoever has proven a name is one wherever it comes from, and all others are their
 * address. `null`: anonymous; an address that is unknown.
 */
export function shareOf(name: string | null, address: string | null): string {
  return name === null ? addressBlock(address) : `user ${nameKey(name)}`
}
