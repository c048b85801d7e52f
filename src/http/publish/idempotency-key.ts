import { createHash } from 'node:crypto'
import type { Identity } from '../../auth/identity.ts'
import { nameKey } from '../../auth/name.ts'
import type { Publication } from '../../publication/publication.ts'
import type { Once } from '../../hub/event-log.ts'
import { HttpError } from '../server/errors.ts'

/**
 * What makes this publication the same as an earlier one. The key counts for its publisher only, a user or else an address,
 * so that nobody finds out or takes the keys of others.
 * @throws {BadIdempotencyKeyError}
 */
export function onceOf(
  key: string,
  peer: { readonly address: string | null; readonly identity: Identity },
  publications: readonly Publication[],
): Once {
  if (!KEY.test(key))
    throw new HttpError(
      'BAD_IDEMPOTENCY_KEY',
      `an Idempotency-Key has 1 to ${KEY_CHARACTERS_MAX} visible characters of ASCII`,
    )
  const { name } = peer.identity
  const publisher = name === null ? ['address', String(peer.address)] : ['user', nameKey(name)]
  const texts = publications.map(({ payload }) => payload.text)
  return {
    key: digest([...publisher, key]),
    fingerprint: digest([publications[0]!.path, ...texts]),
  }
}

/** A UUID has 36. */
const KEY_CHARACTERS_MAX = 255
const KEY = new RegExp(`^[!-~]{1,${KEY_CHARACTERS_MAX}}$`)

function digest(texts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(texts)).digest('base64')
}
