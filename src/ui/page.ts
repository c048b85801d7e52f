import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'

/** One file of the page, as it goes to a browser. */
export interface PageFile {
  readonly contentType: string
  readonly bytes: Buffer
  /** Of its content, with the quotes. */
  readonly etag: string
}

const FOLDER = new URL('page/', import.meta.url)

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** The files of `page/` by their names. There is no build: what is there is what browsers get. */
export function readPage(): ReadonlyMap<string, PageFile> {
  const names = readdirSync(FOLDER).filter((name) => extname(name) in CONTENT_TYPES)
  return new Map(names.map((name) => [name, pageFile(name)]))
}

function pageFile(name: string): PageFile {
  const bytes = readFileSync(new URL(name, FOLDER))
  const digest = createHash('sha256').update(bytes).digest('base64url')
  return { contentType: CONTENT_TYPES[extname(name)]!, bytes, etag: `"${digest.slice(0, 22)}"` }
}
