import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HttpDoor } from './door.ts'
import { originNotAllowed } from './errors.ts'

/**
 * Answers a browser that asks what a page may send. `false`: it is no such question, or nobody is to ask one.
 * @throws {OriginNotAllowedError}
 */
export function preflight(
  { cors, counters }: HttpDoor,
  { headers }: IncomingMessage,
  response: ServerResponse,
): boolean {
  const { origin, 'access-control-request-method': method } = headers
  if (cors.isOff || origin === undefined || method === undefined) return false
  const permissions = cors.permissionsFor(origin, headers['access-control-request-headers'])
  if (permissions === null) throw originNotAllowed()
  response.writeHead(204, [...counters.headers(), ...permissions])
  response.end()
  return true
}
