/**
 * The values of some parameters in the query of a request target, in their order and decoded as URLSearchParams does it.
 * That would decode whatever stands there: 13,000 pieces of `%ff` took 120 ms. Here only what is asked for is decoded
 * (`test/hostile/queries.test.ts`), of each parameter the first value: a second one is counted only.
 */
export class QueryValues<Name extends string> {
  readonly #found = new Map<string, { readonly written: string; count: number }>()

  /** `names`: of ASCII letters and underscores. */
  constructor(target: string, names: readonly Name[]) {
    const written = QUERY.exec(target)?.[1] ?? ''
    const known: ReadonlySet<string> = new Set(names)
    const lengthMax = ESCAPE_LENGTH * Math.max(...names.map((name) => name.length))
    for (const pair of written.split('&')) {
      const equals = pair.indexOf('=')
      const nameLength = equals === -1 ? pair.length : equals
      if (nameLength > lengthMax) continue
      const name = pair.slice(0, nameLength).replace(ASCII_ESCAPE, decodeURIComponent)
      if (!known.has(name)) continue
      const before = this.#found.get(name)
      if (before === undefined)
        this.#found.set(name, { written: equals === -1 ? '' : pair.slice(equals + 1), count: 1 })
      else before.count++
    }
  }

  /** How often it is there. */
  count(name: Name): number {
    return this.#found.get(name)?.count ?? 0
  }

  /** `null`: it is not there. */
  first(name: Name): string | null {
    const found = this.#found.get(name)
    return found === undefined ? null : new URLSearchParams(`v=${found.written}`).get('v')
  }
}

const QUERY = /^[^?#]*\?([^#]*)/

/** An escape that may be a character of a known name; no other one makes any of them. */
const ASCII_ESCAPE = /%[4-7][\da-f]/gi

const ESCAPE_LENGTH = 3
