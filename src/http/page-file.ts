/** A file that browsers load. */
export interface PageFile {
  readonly contentType: string
  readonly bytes: Buffer
  /** With its quotes. */
  readonly etag: string
}
