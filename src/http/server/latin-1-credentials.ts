import { isUtf8 } from 'node:buffer'

/**
 * What a well-formed header of the Basic scheme holds, if its bytes are no UTF-8: then they are read as ISO-8859-1, in which
 * Python's requests and aiohttp, and so asfpy, send names and passwords. `null`: they are UTF-8, which our challenge asks for (RFC
 * 7617 §2.1), and stay so.
 */
export function latin1Credentials(
  header: string,
): { readonly name: string; readonly password: string } | null {
  const bytes = Buffer.from(header.trimStart().slice('Basic'.length), 'base64')
  if (isUtf8(bytes)) return null
  const text = bytes.toString('latin1')
  const colon = text.indexOf(':')
  return { name: text.slice(0, colon), password: text.slice(colon + 1) }
}
