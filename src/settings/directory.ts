import { placeBelow, refuse, shown, type Place } from './place.ts'
import { text, type Reader } from './values.ts'

/** No URL with credentials: `user_dn` says who binds. The message does not show them. */
export const uri: Reader<string> = (node, place) => {
  const value = text(node, place)
  const url = URL.canParse(value) ? new URL(value) : null
  if (url && /^ldaps?:$/.test(url.protocol) && url.hostname && !url.username && !url.password)
    return value
  return refuse(place, 'must be ldap:// or ldaps:// and a host, such as ldaps://ldap.example.org')
}

/** What a user binds as. */
export const bindPattern: Reader<string> = (node, place) => {
  const value = text(node, place)
  if (value.split('%s').length === 2) return value
  return refuse(place, `must have %s exactly once, where the user name goes, not ${shown(value)}`)
}

/** Only what is not encrypted from the start can go over to TLS. */
export function startTlsFits(
  { uri: written, startTls }: { readonly uri?: string; readonly startTls?: boolean },
  place: Place,
): void {
  if (startTls === true && written?.toLowerCase().startsWith('ldaps:') === true)
    refuse(
      placeBelow(place, 'starttls', place),
      'is for ldap:// only; ldaps:// is encrypted from the start',
    )
}
