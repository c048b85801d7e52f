import assert from 'node:assert/strict'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { JETBLACK_CLIENTS, PYTHON } from '../programs.ts'
import { ClientProcess } from './client-process.ts'

/** The real clients: the one whose documentation users find, the one that pip gives them, and the newest. */
export const VERSIONS = ['3.0.3', '4.1.1', '6.0.0a1'] as const

export type Version = (typeof VERSIONS)[number]

export function wireOf(version: Version): 'is-image' | 'content-type' {
  return version === '6.0.0a1' ? 'content-type' : 'is-image'
}

/** As `client.py` has it. */
export interface JetblackOptions {
  readonly basic?: readonly [user: string, password: string]
  readonly token?: string
  readonly ca?: string
  readonly grants?: Readonly<Record<string, readonly number[] | null>>
}

export type Told = Readonly<Record<string, unknown>>

type PacketText = readonly [entitlements: readonly number[] | null, data: string | number]

/** One real client of jetblack-messagebus, by `jetblack/client.py`. */
export class JetblackClient implements AsyncDisposable {
  readonly #process: ClientProcess

  constructor(version: Version, port: number, options: JetblackOptions = {}) {
    const program = fileURLToPath(new URL('jetblack/client.py', import.meta.url))
    const words = [program, String(port), wireOf(version), JSON.stringify(options)]
    this.#process = new ClientProcess(PYTHON, words, {
      input: null,
      environment: { PYTHONPATH: join(JETBLACK_CLIENTS, version) },
    })
  }

  subscribe(feed: string, topic: string): void {
    this.#do('subscribe', { feed, topic })
  }

  notify(feed: string): void {
    this.#do('notify', { feed })
  }

  publish(feed: string, topic: string, ...packets: readonly PacketText[]): void {
    this.#do('publish', { feed, topic, packets })
  }

  stop(): void {
    this.#do('stop', {})
  }

  /** The next that it tells. */
  async next(): Promise<Told> {
    return (await this.#process.line()).json
  }

  async expects(...told: readonly Told[]): Promise<void> {
    for (const each of told) assert.deepEqual(await this.next(), each)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]()
  }

  #do(what: string, command: Told): void {
    this.#process.say(JSON.stringify({ do: what, ...command }))
  }
}

/** Data of one packet, as the versions show it that know no content type, unless one is named. */
export function data(
  user: string,
  feed: string,
  topic: string,
  packets: readonly PacketText[] | null,
  mark: boolean | string = false,
): Told {
  return { kind: 'data', user, feed, topic, packets, mark }
}

export function stale(feed: string, topic: string, wire: 'is-image' | 'content-type'): Told {
  return data('', feed, topic, null, wire === 'is-image' ? true : '')
}
