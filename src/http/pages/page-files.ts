import { hash } from 'node:crypto'
import { openapi } from './openapi.ts'

/** A file as it goes to a client. */
export interface PageFile {
  readonly contentType: string
  readonly bytes: Buffer
  /** Of its content, with the quotes. */
  readonly etag: string
}

/** What is below `/-/`, by its name there: the files of the page, and what describes the server for programs. */
export function pageFiles(
  files: ReadonlyMap<string, { readonly contentType: string; readonly bytes: Buffer }>,
  version: string,
): ReadonlyMap<string, PageFile> {
  const served = new Map<string, PageFile>()
  for (const [name, { bytes, contentType }] of files) served.set(name, pageFile(bytes, contentType))
  const document = Buffer.from(`${JSON.stringify(openapi(version))}\n`)
  return served.set('openapi.json', pageFile(document, 'application/json'))
}

export function pageFile(bytes: Buffer, contentType: string): PageFile {
  return { contentType, bytes, etag: `"${hash('sha256', bytes, 'base64url').slice(0, 22)}"` }
}
