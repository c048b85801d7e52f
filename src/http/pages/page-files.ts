import { openapi } from './openapi.ts'
import { pageFile, type PageFile } from './page-file.ts'

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
