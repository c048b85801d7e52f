let second = 0
let written = ''

/** The time now as the `Date` header has it (RFC 9110 §5.6.7). Written once in a second: connections come by the thousand. */
export function httpDate(): string {
  const now = Math.floor(Date.now() / 1_000)
  if (now !== second) {
    second = now
    written = new Date(now * 1_000).toUTCString()
  }
  return written
}
