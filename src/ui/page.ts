import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'

const FOLDER = new URL('page/', import.meta.url)

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** The files of `page/` by their names. There is no build: what is there is what browsers get. */
export function readPage(): ReadonlyMap<
  string,
  { readonly contentType: string; readonly bytes: Buffer }
> {
  const names = readdirSync(FOLDER).filter((name) => extname(name) in CONTENT_TYPES)
  return new Map(
    names.map((name) => {
      const bytes = readFileSync(new URL(name, FOLDER))
      return [name, { contentType: CONTENT_TYPES[extname(name)]!, bytes }]
    }),
  )
}
