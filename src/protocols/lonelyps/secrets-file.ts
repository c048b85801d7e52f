import type { Scheme } from './authorization.ts'

/** The reference's `broadcaster-secrets.json` cannot be used. The message says where, and nothing of what it holds. */
class SecretsFileError extends Error {}

/** @throws {SecretsFileError} */
export function readSecretsFile(text: string): {
  readonly toBroadcaster: Scheme
  readonly toSubscriber: Scheme
} {
  const file = parsed(text)
  if (file['version'] !== '2') throw new SecretsFileError('its version must be the text "2"')
  return {
    toBroadcaster: schemeIn(file, 'to-broadcaster'),
    toSubscriber: schemeIn(file, 'to-subscriber'),
  }
}

function parsed(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new SecretsFileError('it is no JSON')
  }
  if (isObject(value)) return value
  throw new SecretsFileError('it is no JSON object')
}

function schemeIn(file: Record<string, unknown>, name: string): Scheme {
  const entry = file[name]
  if (entry === undefined) return { type: 'none' }
  if (!isObject(entry)) throw new SecretsFileError(`${name} must be an object`)
  const { type, secret } = entry
  if (type !== 'hmac' && type !== 'token')
    throw new SecretsFileError(`${name}.type must be "hmac" or "token"`)
  if (typeof secret !== 'string' || secret === '')
    throw new SecretsFileError(`${name}.secret is missing`)
  if (type === 'token') {
    // It stands in a header.
    if (!/^[!-~]+$/.test(secret))
      throw new SecretsFileError(`${name}.secret may have printable ASCII characters only`)
    return { type, token: secret }
  }
  const bytes = Buffer.from(secret, 'base64url')
  if (!/^[\w-]{86}(?:==)?$/.test(secret) || bytes.length !== 64)
    throw new SecretsFileError(`${name}.secret must be 64 bytes in base64url`)
  return { type, secret: bytes }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
