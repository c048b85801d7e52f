import { hash } from 'node:crypto'
import { ByteWriter } from './byte-writer.ts'

export interface SubscriptionList {
  /** Strictly ascending. */
  readonly topics: readonly { readonly topic: Buffer; readonly recovery: string | null }[]
  /** Strictly ascending by their bytes. */
  readonly globs: readonly { readonly glob: string; readonly recovery: string | null }[]
}

/** The etag of all subscriptions of a url: 64 bytes (lonelypsp 0.0.46, `stateless/make_strong_etag.py`). */
export function strongEtag(url: string, { topics, globs }: SubscriptionList): Buffer {
  const document = new ByteWriter().raw(Buffer.from('URL')).str16(url).raw(Buffer.from('\nEXACT'))
  for (const { topic, recovery } of topics) document.b16(topic).str16(recovery ?? '')
  document.raw(Buffer.from('\nGLOB'))
  for (const { glob, recovery } of globs) document.str16(glob).str16(recovery ?? '')
  return hash('sha512', document.raw(Buffer.from('\n')).bytes(), 'buffer')
}
