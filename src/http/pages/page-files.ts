import { pageFile, type PageFile } from './page-file.ts'

/** The files of the page, by their names below `/-/`. */
export function pageFiles(
  files: ReadonlyMap<string, { readonly contentType: string; readonly bytes: Buffer }>,
): ReadonlyMap<string, PageFile> {
  return new Map(
    Array.from(files, ([name, { bytes, contentType }]) => [name, pageFile(bytes, contentType)]),
  )
}
