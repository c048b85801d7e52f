import type { PublishedEvent } from './event.ts'

/** Public to everybody: nobody's rights are asked. */
export function isForAll(event: Pick<PublishedEvent, 'isPrivate'>): boolean {
  return !event.isPrivate
}

/**
 * What a subscriber may see of the events that are not for all. Those of HTTP are made by `auth/`, so that the hub filters
 * without knowing ACLs; a door may bring rights of its own, such as entitlements that its publishers have named.
 */
export interface Rights {
  /** Equal for equal rights: subscribers with equal keys may share an audience. */
  readonly key: string
  /** True when no event is ever seen that is not for all. */
  readonly seesNothing: boolean
  /** Asked about each event that is not for all, whenever it is due, so that the answer may change with time. */
  maySee(event: PublishedEvent): boolean
}

/** The rights of everybody: what is for all. */
export const PUBLIC_ONLY: Rights = { key: '', seesNothing: true, maySee: () => false }
