import { isSameName } from './name.ts'

/** A name as one attribute value of a DN (RFC 4514, section 2.4): it can never end the value it stands in. */
export function escapeDnValue(value: string): string {
  return value.replace(/[\\",+;<=>]|^[# ]| $/g, '\\$&').replaceAll('\0', '\\00')
}

/**
 * A text that is equal for DNs that name the same entry, in whatever case, spacing, escapes or order within an RDN they are
 * written. Attribute types are compared by name: `2.5.4.3` is not `cn`.
 * `null`: not a DN.
 */
export function canonicalDn(text: string): string | null {
  const rdns = canonicalRdns(text)
  return rdns === null ? null : JSON.stringify(rdns)
}

/** Whether an entry is another one, or below it. Not, if either is no DN. */
export function isInSubtree(dn: string, base: string): boolean {
  const [inner, outer] = [canonicalRdns(dn), canonicalRdns(base)]
  if (inner === null || outer === null || inner.length < outer.length) return false
  return JSON.stringify(inner.slice(inner.length - outer.length)) === JSON.stringify(outer)
}

/** As RFC 4514 writes it: without the spaces that are no part of it. `null`: not a DN. */
export function plainDn(text: string): string | null {
  const rdns = partsOf(text)?.map((avas) =>
    avas.map(({ type, value, hex }) => `${type}=${hex ? `#${value}` : escapeDnValue(value)}`),
  )
  return rdns?.map((avas) => avas.join('+')).join(',') ?? null
}

/** The value of an attribute by which an entry is told from those beside it. */
export function valueInRdn(dn: string, type: string): string | null {
  const [rdn = []] = partsOf(dn) ?? []
  return rdn.find((each) => each.type === type.toLowerCase())?.value ?? null
}

function canonicalRdns(text: string): readonly (readonly string[])[] | null {
  const rdns = partsOf(text)?.map((avas) =>
    avas
      .map(({ type, value, hex }) =>
        JSON.stringify([type, withoutCaseAndSpaces(value), ...(hex ? ['hex'] : [])]),
      )
      .toSorted(),
  )
  return rdns ?? null
}

/**
 * What stands for `%s` in a DN that was made of a pattern such as `uid=%s,ou=people,dc=example,dc=org`, as it is written there.
 * `null`: it is not of that pattern.
 */
export function nameInDn(dn: string, pattern: string): string | null {
  const wanted = partsOf(pattern.replace('%s', '\uffff'))?.flat() ?? []
  const found = partsOf(dn)?.flat() ?? []
  const at = wanted.findIndex(({ value }) => value.includes('\uffff'))
  const { type, value } = wanted[at] ?? { type: '', value: '' }
  const [before = '', behind = ''] = value.split('\uffff')
  // The order within an RDN may be any.
  const text = found.find((each) => each.type === type)?.value ?? ''
  const isLikeIt =
    found.length === wanted.length &&
    text.length > before.length + behind.length &&
    isSameName(text.slice(0, before.length), before) &&
    isSameName(text.slice(text.length - behind.length), behind)
  return isLikeIt ? text.slice(before.length, text.length - behind.length) : null
}

interface AttributeAndValue {
  readonly type: string
  readonly value: string
  /** The value is the digits of one that is no text. */
  readonly hex: boolean
}

/** Its RDNs, with what is in each of them. `null`: not a DN. */
function partsOf(text: string): readonly (readonly AttributeAndValue[])[] | null {
  const rdns: AttributeAndValue[][] = [[]]
  let rest = text
  for (;;) {
    const match = ATTRIBUTE_AND_VALUE.exec(rest)
    if (match === null) return null
    const [whole, type = '', hex, value = '', separator] = match
    const parsed =
      hex === undefined ? { value: unescape(withoutSpacesBehind(value)), hex: false } : fromHex(hex)
    rdns.at(-1)!.push({ type: type.toLowerCase(), ...parsed })
    rest = rest.slice(whole.length)
    if (separator === '') return rdns
    if (separator === ',') rdns.push([])
  }
}

/** `type = value` and what comes after it: `,` before the next RDN, `+` within one, or the end. */
const ATTRIBUTE_AND_VALUE =
  /^ *([a-z][a-z\d-]*|\d+(?:\.\d+)*) *= *(?:#((?:[\da-f]{2})+) *|((?:[^\\",;+<>\0# ]|\\(?:[\\ "#+,;<=>]|[\da-f]{2}))(?:[^\\",;+<>\0]|\\(?:[\\ "#+,;<=>]|[\da-f]{2}))*|))(,|\+|$)/i

/** Spaces before a separator are no part of the value, but for one behind a backslash. */
function withoutSpacesBehind(value: string): string {
  let end = value.length
  while (value[end - 1] === ' ') end--
  let backslashes = 0
  while (value[end - 1 - backslashes] === '\\') backslashes++
  return value.slice(0, backslashes % 2 === 1 ? end + 1 : end)
}

function unescape(value: string): string {
  return value.replace(
    /((?:\\[\da-f]{2})+)|\\(.)/gi,
    (_, bytes: string | undefined, character: string) =>
      bytes === undefined ? character : Buffer.from(bytes.replaceAll('\\', ''), 'hex').toString(),
  )
}

/** As directories compare names (RFC 4518): inner spaces count as one, outer ones not at all. */
function withoutCaseAndSpaces(text: string): string {
  return text.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim()
}

/** The value of `#…`, the BER encoding: its text if it is a string, else the hex digits, marked as such. */
function fromHex(hex: string): { readonly value: string; readonly hex: boolean } {
  const [tag = 0, length, ...content] = Buffer.from(hex, 'hex')
  const isText = STRING_TAGS.has(tag) && length === content.length && length < 0x80
  return isText
    ? { value: Buffer.from(content).toString(), hex: false }
    : { value: hex.toLowerCase(), hex: true }
}

/** BER tags of OCTET STRING, UTF8String, PrintableString and IA5String. */
const STRING_TAGS = new Set([0x04, 0x0c, 0x13, 0x16])
