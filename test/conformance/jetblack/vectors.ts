import { readFileSync } from 'node:fs'
import type { Wire } from '../../../src/protocols/jetblack/messages.ts'

/** A message as the reference libraries of jetblack-messagebus write it. */
export interface Vector {
  readonly name: string
  readonly protocol: 'v6' | 'v4' | 'v3' | 'dotnet>=4' | 'all'
  readonly direction: 'client->server' | 'server->client' | 'both'
  /** The number of a message, or `handshake`, `session`, `primitive`. */
  readonly type: number | string
  // oxlint-disable-next-line typescript/no-explicit-any -- each type has its own, which the tests know
  readonly fields: any
  readonly encoded_hex: string
  readonly malformed?: boolean
}

export interface Step {
  readonly conn: string
  readonly do: 'connect' | 'send' | 'expect' | 'expect_silence' | 'expect_close' | 'close' | 'sync'
  /** With `{str:host}` and `{id:NAME}` in it. */
  readonly hex?: string
  readonly ms?: number
}

export interface Scenario {
  readonly name: string
  readonly protocol: 'v6' | 'v4'
  readonly config: {
    readonly authentication: 'null' | 'password-file'
    readonly heartbeatInterval?: string
    readonly users?: Readonly<Record<string, string>>
  }
  readonly steps: readonly Step[]
}

export const { vectors: VECTORS, scenarios: SCENARIOS } = JSON.parse(
  readFileSync(new URL('vectors.json', import.meta.url), 'utf8'),
) as { readonly vectors: readonly Vector[]; readonly scenarios: readonly Scenario[] }

export function wireOf({ protocol }: Pick<Vector, 'protocol'>): Wire {
  return protocol === 'v6' ? 'content-type' : 'is-image'
}
