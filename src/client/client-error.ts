/** Why a server cannot be used as asked: trying the same again is in vain. The message is a sentence for people. */
export class RefusedError extends Error {
  /** `null`: what the server answers makes no sense to us. */
  readonly status: number | null
  /** The server's stable name for it (docs/errors.md), where it has one. */
  readonly code: string | null

  constructor(message: string, status: number | null, code: string | null = null) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** The server could not be reached, or was not ready, for as long as we may try. */
export class GaveUpError extends Error {}
