import type { Secrets } from './authorization.ts'

/** Who publishes. */
export interface Peer {
  readonly secrets: Secrets
  /** `null`: unknown; such a peer has no right that goes by address. */
  readonly address: string | null
}
