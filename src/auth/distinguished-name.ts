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
  const rdns: string[][] = [[]]
  let rest = text
  for (;;) {
    const match = ATTRIBUTE_AND_VALUE.exec(rest)
    if (match === null) return null
    const [whole, type = '', hex, value = '', separator] = match
    const ava = [type.toLowerCase(), ...(hex === undefined ? [unescape(value)] : fromHex(hex))]
    rdns.at(-1)!.push(JSON.stringify(ava))
    rest = rest.slice(whole.length)
    if (separator === '') return JSON.stringify(rdns.map((avas) => avas.toSorted()))
    if (separator === ',') rdns.push([])
  }
}

/** `type = value` and what comes after it: `,` before the next RDN, `+` within one, or the end. */
const ATTRIBUTE_AND_VALUE =
  /^ *([a-z][a-z\d-]*|\d+(?:\.\d+)*) *= *(?:#((?:[\da-f]{2})+) *|((?:[^\\",;+<>\0# ]|\\(?:[\\ "#+,;<=>]|[\da-f]{2}))(?:[^\\",;+<>\0]|\\(?:[\\ "#+,;<=>]|[\da-f]{2}))*|))(,|\+|$)/i

function unescape(value: string): string {
  const text = value.replace(
    /((?:\\[\da-f]{2})+)|\\(.)/gi,
    (_, bytes: string | undefined, character: string) =>
      bytes === undefined ? character : Buffer.from(bytes.replaceAll('\\', ''), 'hex').toString(),
  )
  return withoutCaseAndSpaces(text)
}

/** As directories compare names (RFC 4518): inner spaces count as one, outer ones not at all. */
function withoutCaseAndSpaces(text: string): string {
  return text.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim()
}

/** The value of `#…`, the BER encoding: its text if it is a string, else the hex digits, marked as such. */
function fromHex(hex: string): readonly [string] | readonly [string, 'hex'] {
  const [tag = 0, length, ...content] = Buffer.from(hex, 'hex')
  const isText = STRING_TAGS.has(tag) && length === content.length && length < 0x80
  return isText
    ? [withoutCaseAndSpaces(Buffer.from(content).toString())]
    : [hex.toLowerCase(), 'hex']
}

/** BER tags of OCTET STRING, UTF8String, PrintableString and IA5String. */
const STRING_TAGS = new Set([0x04, 0x0c, 0x13, 0x16])
