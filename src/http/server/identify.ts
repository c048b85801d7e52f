import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Login, LoginResult } from '../../auth/identity.ts'
import type { HttpDoor } from './door.ts'
import { HttpError } from './errors.ts'
import { peerAddress } from './peer.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** What came of its Basic credentials, once somebody has asked. */
    loginResult: LoginResult | null
  }
}

/**
 * Who a request comes from. `null`: anonymous, which bad credentials come to as well unless they are refused.
 * @throws {BadCredentialsError} they are wrong, and `clients.bad_credentials` says to refuse.
 * @throws {TooManyLoginsError} nobody looked, as too many have failed, and `clients.bad_credentials` says to refuse.
 * @throws {DirectoryUnavailableError} nobody could tell, and `clients.bad_credentials` says to refuse.
 */
export async function identify(
  door: HttpDoor,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Login | null> {
  if (request.headers.authorization === undefined) return null
  const { logins, options } = door
  const result =
    (await login(request, reply)) ??
    (await logins.refuse(peerAddress(request.raw, options.trustedProxies)))
  if (result.type === 'accepted') return result.login
  if (!options.rejectBadCredentials) return null
  if (result.type === 'postponed')
    throw new HttpError(
      'TOO_MANY_LOGINS',
      'too many log-ins failed from your address, or by this name (limits.login_delay), or wait there (limits.waiting_logins)',
    )
  if (result.type === 'unavailable')
    throw new HttpError(
      'DIRECTORY_UNAVAILABLE',
      `the directory that knows your name ${result.reason ?? 'cannot be asked'}, try again later`,
    )
  throw new HttpError(
    'BAD_CREDENTIALS',
    'user name or password is wrong, or the Authorization header is not Basic',
  )
}

/** `null`: the header is malformed, or of another scheme. */
function login(request: FastifyRequest, reply: FastifyReply): Promise<LoginResult | null> {
  // @fastify/basic-auth would take a tab for the space behind the scheme, PyPubSub does not.
  if (request.headers.authorization?.includes('\t')) return Promise.resolve(null)
  return new Promise((resolve) => {
    const decided = () => resolve(request.loginResult)
    request.server.basicAuth(request, reply, decided)
  })
}
