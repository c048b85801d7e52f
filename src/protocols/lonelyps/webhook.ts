import { randomBytes } from 'node:crypto'
import type { PublishedEvent } from '../../hub/event.ts'
import { authorizationOf, type Secrets, type Verifier } from './authorization.ts'
import { MalformedError } from './byte-reader.ts'
import { readReceipt, writeMissed, writeReceiveHead, type Receipt } from './http-codec.ts'
import type { RecentDeliveries } from './recent-deliveries.ts'
import type { StoredSubscription } from './stored-subscriptions.ts'
import { signed } from './signed-bytes.ts'

/** Sends requests to urls that peers have named. */
export interface Outgoing {
  /** Rejects if there is no answer, or none may be asked for. */
  post(
    url: string,
    headers: Readonly<Record<string, string>>,
    body: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly body: Buffer }>
}

/** How a delivery ended. */
export type Outcome =
  | { readonly type: 'received'; readonly count: number }
  /** The receiver does not want that subscription any more. */
  | { readonly type: 'unwanted' }
  | { readonly type: 'failed'; readonly reason: string }

/** Requests to receivers: events, and that some may be missing. */
export class Webhook {
  readonly #outgoing: Outgoing
  readonly #verifier: Verifier
  readonly #ending = new AbortController()
  readonly #deliveries: RecentDeliveries
  readonly #secretsOf: (owner: string | null) => Secrets | null

  /** `secretsOf`: `null` if there is nobody of that name any more. */
  constructor(
    outgoing: Outgoing,
    verifier: Verifier,
    deliveries: RecentDeliveries,
    secretsOf: (owner: string | null) => Secrets | null,
  ) {
    this.#outgoing = outgoing
    this.#verifier = verifier
    this.#deliveries = deliveries
    this.#secretsOf = secretsOf
  }

  async receive(row: StoredSubscription, event: PublishedEvent): Promise<Outcome> {
    const secrets = this.#secretsOf(row.owner)
    if (secrets === null) return failed('its owner has no secrets any more')
    const { topic, message, sha512 } = this.#deliveries.of(event)
    const identifier = randomBytes(8)
    const url = withoutFragment(row.url)
    const proof = signed.receive(url, topic, identifier, sha512)
    const receipt = await this.#ask(row.url, secrets, proof, {
      head: writeReceiveHead(topic, identifier, message.length),
      message,
      digest: `sha-512=${Buffer.from(sha512).toString('base64')}`,
    })
    if (receipt.type === 'failed') return receipt
    if (receipt.type === 'unsubscribe') return { type: 'unwanted' }
    if (receipt.type !== 'received') return failed('an answer to something else')
    if (!receipt.identifier.equals(identifier)) return failed('an answer to another request')
    const { authorization, tracing, count } = receipt
    const confirmation = signed.confirmReceive(identifier, count, url)
    return this.#verifier.verifyAs(secrets, authorization, confirmation, tracing)
      ? { type: 'received', count }
      : failed('a wrong authorization in its answer')
  }

  /** Resolves with whether it was confirmed. */
  async missed({ recovery, owner }: StoredSubscription, topic: Buffer): Promise<boolean> {
    const secrets = this.#secretsOf(owner)
    if (secrets === null || recovery === null) return false
    const url = withoutFragment(recovery)
    const receipt = await this.#ask(recovery, secrets, signed.missed(url, topic), {
      head: writeMissed(topic),
      message: null,
      digest: null,
    })
    if (receipt.type !== 'missed') return false
    const { authorization, tracing } = receipt
    return this.#verifier.verifyAs(
      secrets,
      authorization,
      signed.confirmMissed(topic, url),
      tracing,
    )
  }

  /** What is under way fails, and everything else will. */
  close(): void {
    this.#ending.abort(new Error('the server stops'))
  }

  async #ask(
    url: string,
    { toSubscriber }: Secrets,
    proof: Parameters<typeof authorizationOf>[1],
    { head, message, digest }: { head: Buffer; message: Uint8Array | null; digest: string | null },
  ): Promise<Receipt | Extract<Outcome, { type: 'failed' }>> {
    const headers: Record<string, string> = { 'Content-Type': 'application/octet-stream' }
    if (digest !== null) headers['Repr-Digest'] = digest
    const authorization = authorizationOf(toSubscriber, proof, NO_TRACING)
    if (authorization !== null) headers['Authorization'] = authorization
    let answer
    try {
      const body = message === null ? [head] : [head, message]
      answer = await this.#outgoing.post(url, headers, body, this.#ending.signal)
    } catch (error) {
      return failed(error instanceof Error ? error.message : String(error))
    }
    try {
      return readReceipt(answer.body)
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error
      return failed(`an answer of status ${answer.status} that says nothing`)
    }
  }
}

/**
 * The client checks the url that it was asked at, which has none. Signed with it, the first webhook would be refused and
 * the subscription end.
 */
function withoutFragment(url: string): string {
  return url.split('#', 1)[0]!
}

function failed(reason: string): Extract<Outcome, { type: 'failed' }> {
  return { type: 'failed', reason }
}

const NO_TRACING = new Uint8Array()
