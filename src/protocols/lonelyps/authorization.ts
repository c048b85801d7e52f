import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { hmacSha512 } from './hmac.ts'
import { bytesToSign, type Signed } from './signed-bytes.ts'

/** How one side proves who it is. */
export type Scheme =
  | { readonly type: 'none' }
  | { readonly type: 'token'; readonly token: string }
  /** 64 bytes. */
  | { readonly type: 'hmac'; readonly secret: Buffer }

/** The secrets of one who may come: what it sends, and what is sent to it. */
export interface Secrets {
  /** In the ACL file. `null`: anonymous. */
  readonly name: string | null
  readonly toBroadcaster: Scheme
  readonly toSubscriber: Scheme
}

export interface SignerSources {
  /** In ms. */
  readonly now: () => number
  /** Text that does not come twice, without a colon. */
  readonly nonce: () => string
}

export const SYSTEM_SOURCES: SignerSources = {
  now: Date.now,
  nonce: () => randomBytes(4).toString('base64url'),
}

/** The value that goes with a message. `null`: none. */
export function authorizationOf(
  scheme: Scheme,
  message: Signed,
  tracing: Uint8Array,
  { now, nonce }: SignerSources = SYSTEM_SOURCES,
): string | null {
  if (scheme.type !== 'hmac') return plainAuthorizationOf(scheme)
  const timestampS = Math.floor(now() / 1_000)
  const text = nonce()
  const mac = hmacSha512(scheme.secret, bytesToSign(message, timestampS, text, tracing))
  return `X-HMAC ${timestampS}:${text}:${mac.toString('base64')}`
}

/** The same where it does not depend on the message. */
export function plainAuthorizationOf(scheme: Exclude<Scheme, { type: 'hmac' }>): string | null {
  return scheme.type === 'none' ? null : `Bearer ${scheme.token}`
}

export type Verdict =
  | { readonly type: 'ok'; readonly secrets: Secrets }
  /** Something has to be given. */
  | { readonly type: 'unauthorized' }
  | { readonly type: 'forbidden' }
  /** So many have come lately that a repeated one could not be told from a new one. */
  | { readonly type: 'unavailable' }

/** Judges what comes with messages of the other side. */
export class Verifier {
  readonly #known: readonly Secrets[]
  readonly #now: () => number
  readonly #seen: SeenMacs

  /** `now` in ms. */
  constructor(known: readonly Secrets[], now: () => number = Date.now, macsMax = MACS_MAX) {
    this.#known = known
    this.#now = now
    this.#seen = new SeenMacs(now, macsMax)
  }

  /** `authorization`: an empty one counts as given. */
  verify(authorization: string | null, message: Signed, tracing: Uint8Array): Verdict {
    const open = this.#known.find(({ toBroadcaster }) => toBroadcaster.type === 'none')
    const known = authorization === null ? undefined : this.#proven(authorization, message, tracing)
    if (known === 'unavailable') return { type: 'unavailable' }
    const secrets = known ?? open
    if (secrets !== undefined) return { type: 'ok', secrets }
    return { type: authorization === null ? 'unauthorized' : 'forbidden' }
  }

  /**
   * The same about one whose secrets are known. Only notifications can be repeated: all else is signed with something that
   * we have made for it, the number of a WebSocket's message or the identifier of a delivery.
   */
  verifyAs(
    { toBroadcaster }: Secrets,
    authorization: string | null,
    message: Signed,
    tracing: Uint8Array,
  ): boolean {
    if (toBroadcaster.type === 'none') return true
    if (authorization === null) return false
    if (toBroadcaster.type === 'token') return isToken(authorization, toBroadcaster.token)
    const given = this.#readHmac(authorization)
    if (given === null || !isMac(given, toBroadcaster.secret, message, tracing)) return false
    return message.kind !== NOTIFY_KIND || this.#seen.add(given.mac)
  }

  /** Whose it is: all are tried, whichever it is, so that the time says nothing. */
  #proven(
    authorization: string,
    message: Signed,
    tracing: Uint8Array,
  ): Secrets | 'unavailable' | undefined {
    const given = this.#readHmac(authorization)
    let found: Secrets | undefined
    for (const secrets of this.#known) {
      const { toBroadcaster: scheme } = secrets
      const isTheirs =
        scheme.type === 'token'
          ? isToken(authorization, scheme.token)
          : scheme.type === 'hmac' &&
            given !== null &&
            isMac(given, scheme.secret, message, tracing)
      if (isTheirs) found ??= secrets
    }
    if (found?.toBroadcaster.type !== 'hmac') return found
    if (this.#seen.isFull) return 'unavailable'
    return this.#seen.add(given!.mac) ? found : undefined
  }

  /** `null`: no such authorization, or of another time. */
  #readHmac(authorization: string): GivenHmac | null {
    const [, timestamp, nonce, macText] = HMAC.exec(authorization) ?? []
    if (timestamp === undefined) return null
    const timestampS = Number(timestamp)
    const skewS = Math.abs(this.#now() / 1_000 - timestampS)
    if (!(skewS <= SKEW_S) || Buffer.byteLength(nonce!) > NONCE_BYTES_MAX) return null
    const mac = Buffer.from(macText!, 'base64')
    return mac.length === MAC_BYTES ? { timestampS, nonce: nonce!, mac } : null
  }
}

interface GivenHmac {
  readonly timestampS: number
  readonly nonce: string
  readonly mac: Buffer
}

/** What was accepted within the time in which it could be sent again. Two generations, each of that time. */
class SeenMacs {
  readonly #now: () => number
  readonly #max: number
  #young = new Set<string>()
  #old = new Set<string>()
  #turnedMs: number

  constructor(now: () => number, max: number) {
    this.#now = now
    this.#max = max
    this.#turnedMs = now()
  }

  get isFull(): boolean {
    this.#turn()
    return this.#young.size + this.#old.size >= this.#max
  }

  /** @returns false: it was there, or nothing more can be remembered. */
  add(mac: Buffer): boolean {
    const key = mac.toString('latin1')
    if (this.isFull || this.#young.has(key) || this.#old.has(key)) return false
    this.#young.add(key)
    return true
  }

  #turn(): void {
    const nowMs = this.#now()
    if (nowMs - this.#turnedMs < REPLAY_MS) return
    this.#old = nowMs - this.#turnedMs < 2 * REPLAY_MS ? this.#young : new Set()
    this.#young = new Set()
    this.#turnedMs = nowMs
  }
}

function isToken(authorization: string, token: string): boolean {
  // Digests have equal lengths, so that the comparison tells nothing about the token's.
  return timingSafeEqual(digestOf(authorization), digestOf(`Bearer ${token}`))
}

function isMac(given: GivenHmac, secret: Buffer, message: Signed, tracing: Uint8Array): boolean {
  const { timestampS, nonce, mac } = given
  return timingSafeEqual(mac, hmacSha512(secret, bytesToSign(message, timestampS, nonce, tracing)))
}

function digestOf(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}

/** Time in whole seconds, nonce, and 64 bytes in base64, whose padding may be missing. */
const HMAC = /^X-HMAC +(\d{1,15}):([^:]*):([A-Za-z\d+/]{86}(?:==)?)$/

const MAC_BYTES = 64
const NONCE_BYTES_MAX = 255

/** What `signed.notify` begins with. */
const NOTIFY_KIND = 3

/** How far its time may be from ours, either way. */
const SKEW_S = 120

/** One may be repeated for so long: twice the skew, and a second for the rounding. */
const REPLAY_MS = 241_000

/** Some 150 bytes each. */
const MACS_MAX = 500_000
