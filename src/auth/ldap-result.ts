import { ResultCodeError } from 'ldapts'

/** The directory has answered, and does not say what it was asked. It is not away, whatever else may be wrong. */
export class LdapAnswerError extends Error {
  /** Of the message, what peers may be told: `answers sizeLimitExceeded (4) to this server`. */
  readonly toPeers: string

  /** The message goes on from the directory's name. */
  constructor(message: string, toPeers: string, cause?: unknown) {
    super(message, { cause })
    this.toPeers = toPeers
  }

  override get name(): string {
    return this.constructor.name
  }
}

/** Another result than success. */
export class LdapResultError extends LdapAnswerError {
  readonly code: number

  /** `asked`: what it was asked for, as `the bind as cn=…`. */
  constructor(error: ResultCodeError, asked: string) {
    super(
      `answers ${describeResult(error)} to ${asked}${adviceOn(error.code)}`,
      `answers ${nameOfResult(error.code)} to this server`,
      error,
    )
    this.code = error.code
  }
}

/** What `asking` comes to; a result other than success says what was asked. */
export async function askedFor<T>(asked: string, asking: Promise<T>): Promise<T> {
  try {
    return await asking
  } catch (error) {
    if (error instanceof ResultCodeError) throw new LdapResultError(error, asked)
    throw error
  }
}

/** The name of a result with its number, `busy (51)`, as RFC 4511 has it. */
function nameOfResult(code: number): string {
  return `${NAMES.get(code) ?? 'a result without a name'} (${code})`
}

/** With what the directory says about it, on one line: a part of it may be anything. */
export function describeResult(error: ResultCodeError): string {
  const told = asciiLine(error.message.replace(/ ?Code: 0x[\da-f]+$/, ''))
  return nameOfResult(error.code) + (told === '' ? '' : `: ${told}`)
}

export function asciiLine(text: string): string {
  return text
    .replace(/[^\x21-\x7e]+/g, ' ')
    .trim()
    .slice(0, TEXT_SHOWN_MAX)
}

/** In characters. Active Directory's take about 100. */
const TEXT_SHOWN_MAX = 300

/** The directory as a whole cannot serve now. */
export const OVERLOADED_CODES: ReadonlySet<number> = new Set([51, 52])

/** An entry is not there, is elsewhere, may not be seen, or has a name that cannot be. */
export const UNSEEN_CODES: ReadonlySet<number> = new Set([32, 10, 50, 34])

/** RFC 4511, section 4.1.9. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'operationsError'],
  [2, 'protocolError'],
  [3, 'timeLimitExceeded'],
  [4, 'sizeLimitExceeded'],
  [7, 'authMethodNotSupported'],
  [8, 'strongerAuthRequired'],
  [10, 'referral'],
  [11, 'adminLimitExceeded'],
  [12, 'unavailableCriticalExtension'],
  [13, 'confidentialityRequired'],
  [14, 'saslBindInProgress'],
  [16, 'noSuchAttribute'],
  [17, 'undefinedAttributeType'],
  [18, 'inappropriateMatching'],
  [19, 'constraintViolation'],
  [20, 'attributeOrValueExists'],
  [21, 'invalidAttributeSyntax'],
  [32, 'noSuchObject'],
  [33, 'aliasProblem'],
  [34, 'invalidDNSyntax'],
  [36, 'aliasDereferencingProblem'],
  [48, 'inappropriateAuthentication'],
  [49, 'invalidCredentials'],
  [50, 'insufficientAccessRights'],
  [51, 'busy'],
  [52, 'unavailable'],
  [53, 'unwillingToPerform'],
  [54, 'loopDetect'],
  [80, 'other'],
])

/** What helps, where that is known. */
function adviceOn(code: number): string {
  const advice = ADVICE.get(code)
  return advice === undefined ? '' : ` (${advice})`
}

const ENCRYPT = 'it wants encryption: ldaps:// or starttls: true'

const ADVICE: ReadonlyMap<number, string> = new Map([
  [1, 'Active Directory says so of searches without a log-in: search.bind_dn'],
  [3, 'an index over there for what the filters compare would help, or a higher limit of time'],
  [4, 'its limit on entries is lower than what the filter finds'],
  [7, 'it takes no simple binds'],
  [8, ENCRYPT],
  [10, 'another directory has that entry, and only the one in uri is asked'],
  [11, 'an index over there for what the filters compare would help, or a higher limit'],
  [13, ENCRYPT],
  [50, 'whoever asks may not see that: its access rules decide'],
])
