/** What the operator configured cannot work. The message names the text and the rule it broke. */
export class OptionError extends Error {
  override get name(): string {
    return this.constructor.name
  }
}
