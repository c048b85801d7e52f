import type { PublishedEvent } from './event.ts'

/**
 * Which private events a subscriber may see. Made by `auth/`, so that the hub filters without knowing ACLs.
 * Public events are everybody's; nobody is asked about them.
 */
export interface Rights {
  /** Equal for equal rights: subscribers with equal keys may share an audience. */
  readonly key: string
  /** True when no private event can ever be seen. */
  readonly seesNothing: boolean
  /** Asked only about private events. */
  maySee(event: PublishedEvent): boolean
}

/** The rights of everybody: public events only. */
export const PUBLIC_ONLY: Rights = { key: '', seesNothing: true, maySee: () => false }
