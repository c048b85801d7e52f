/** The subscriber has broken a rule of the protocol, which has no message to say so: its connection is closed. */
export class ViolationError extends Error {
  override get name(): string {
    return 'ViolationError'
  }
}
