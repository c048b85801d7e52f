import { hash } from 'node:crypto'

/** A file as it goes to a client. */
export interface PageFile {
  readonly contentType: string
  readonly bytes: Buffer
  /** The hash of its content, with the quotes. */
  readonly etag: string
}

export function pageFile(bytes: Buffer, contentType: string): PageFile {
  return { contentType, bytes, etag: `"${hash('sha256', bytes, 'base64url').slice(0, 22)}"` }
}
