import { readFileSync } from 'node:fs'

/** A record of what the reference libraries of lonelyps write, and how they judge. */
export interface Vector {
  readonly name: string
  readonly kind: string
  readonly direction: 's2b' | 'b2s' | 'both'
  // oxlint-disable-next-line typescript/no-explicit-any -- each kind has its own, which the tests know
  readonly fields: any
  readonly encoded_hex: string
  readonly to_sign_hex?: string
  readonly authorization?: string
  readonly result?: string
  readonly document_hex?: string
  readonly python_fnmatch?: { readonly matches: readonly string[] }
  readonly python_glob_translate_3_13?: { readonly matches: readonly string[] }
}

const file = JSON.parse(readFileSync(new URL('vectors.json', import.meta.url), 'utf8')) as {
  readonly vectors: readonly Vector[]
}

export function vectorsOf(kind: string): Vector[] {
  return file.vectors.filter((vector) => vector.kind === kind)
}
