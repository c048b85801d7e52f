import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { netrcEntry } from '../client/netrc.ts'
import { printable } from '../ops/logger.ts'
import { UsageError } from './arguments.ts'
import { askPassword } from './ask-password.ts'

/**
 * The Authorization header for a server, from the first of: `--user`, the URL, PUBSUBD_USER and PUBSUBD_PASSWORD, the netrc
 * file (NETRC, else ~/.netrc). A name without a password gets one from further down, and in the end from the terminal. `null`: anonymous.
 * @throws {UsageError}
 */
export async function authorizationFor(url: URL, user: string | undefined): Promise<string | null> {
  const { PUBSUBD_USER, PUBSUBD_PASSWORD } = process.env
  const fromUrl = url.username === '' && url.password === '' ? undefined : userOf(url)
  const [name, password] = splitUser(user ?? fromUrl ?? (PUBSUBD_USER || undefined))
  if (name !== null && password !== null) return basic(name, password)
  if (name !== null && PUBSUBD_PASSWORD !== undefined) return basic(name, PUBSUBD_PASSWORD)
  const entry = netrcEntry(netrcText(), url.hostname.replace(/^\[|\]$/g, ''), name)
  const login = name ?? entry?.login ?? null
  if (login === null) return null
  const secret = entry?.password ?? (await askPassword(`Password of ${printable(login)}: `))
  if (secret === null)
    throw new UsageError(
      `no password for ${login}: write it in ~/.netrc or in PUBSUBD_PASSWORD, or give --user ${login}:PASSWORD`,
    )
  return basic(login, secret)
}

/** A URL's parts are percent-encoded, and `%zz` is nothing that could be decoded. */
function userOf({ username, password }: URL): string {
  try {
    return decodeURIComponent(password === '' ? username : `${username}:${password}`)
  } catch (error) {
    throw new UsageError('name and password in the URL must be percent-encoded', { cause: error })
  }
}

function splitUser(text: string | undefined): readonly [string | null, string | null] {
  if (text === undefined) return [null, null]
  const colon = text.indexOf(':')
  return colon === -1 ? [text, null] : [text.slice(0, colon), text.slice(colon + 1)]
}

function basic(name: string, password: string): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`
}

function netrcText(): string {
  const named = process.env['NETRC']
  const file = named || join(homedir(), '.netrc')
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (!named && (error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw new Error(`${file} cannot be read: ${(error as Error).message}`, { cause: error })
  }
}
