/**
 * JSON text in one spelling, for comparing what two servers wrote: member order and integers of any size count, escapes
 * and white space do not, and the last of a repeated member wins. JSON.parse would reorder `{"b":1,"1":2}` and round.
 */
export function readMembers(text: string): {
  readonly members: ReadonlyMap<string, string>
  readonly repeated: readonly string[]
} {
  const reader = new Reader(text)
  const object = reader.object()
  reader.expect('')
  return object
}

const TOKEN = /[ \t\r\n]*([{}[\],:]|"(?:[^"\\]|\\.)*"|[-+.\w]+|$)/y

class Reader {
  readonly #text: string
  #next: string
  #at = 0

  constructor(text: string) {
    this.#text = text
    this.#next = this.#token()
  }

  object() {
    const members = new Map<string, string>()
    const repeated: string[] = []
    this.expect('{')
    if (this.#next !== '}')
      do {
        const name = String(JSON.parse(this.#take()))
        this.expect(':')
        if (members.has(name)) repeated.push(name)
        members.set(name, this.#value())
      } while (this.#skipped(','))
    this.expect('}')
    return { members, repeated }
  }

  expect(token: string): void {
    const found = this.#take()
    if (found !== token) throw new SyntaxError(`${found} instead of ${token} in ${this.#text}`)
  }

  #value(): string {
    if (this.#next === '{')
      return `{${[...this.object().members]
        .map(([name, value]) => `${JSON.stringify(name)}:${value}`)
        .join()}}`
    if (this.#next === '[') return `[${this.#items().join()}]`
    const scalar = this.#take()
    if (/^-?\d+$/.test(scalar)) return String(BigInt(scalar))
    if (/^-?\d/.test(scalar)) return numberText(scalar)
    // Python's NaN and Infinity stay visible in a transcript.
    return /^-?(NaN|Infinity)$/.test(scalar) ? scalar : JSON.stringify(JSON.parse(scalar))
  }

  #items(): string[] {
    const items: string[] = []
    this.expect('[')
    if (this.#next !== ']')
      do items.push(this.#value())
      while (this.#skipped(','))
    this.expect(']')
    return items
  }

  #skipped(token: string): boolean {
    if (this.#next !== token) return false
    this.#take()
    return true
  }

  #take(): string {
    const token = this.#next
    this.#next = this.#token()
    return token
  }

  #token(): string {
    TOKEN.lastIndex = this.#at
    const match = TOKEN.exec(this.#text)
    if (!match) throw new SyntaxError(`not JSON at ${this.#at}: ${this.#text}`)
    this.#at = TOKEN.lastIndex
    return match[1] ?? ''
  }
}

/** A fraction or an exponent makes it a float, as in Python. One that no float can hold keeps its text. */
function numberText(text: string): string {
  const value = Number(text)
  return Number.isFinite(value) ? `${value}`.replace(/^-?\d+$/, '$&.0') : text
}
