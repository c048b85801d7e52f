export type LogLevel = 'info' | 'warn' | 'error'

/** Takes one message, as it is: it never throws, and never waits for whoever reads it. */
export type LogOutput = (level: LogLevel, message: string) => void

let output: LogOutput = (level, message) => {
  const stream = level === 'info' ? process.stdout : process.stderr
  stream.write(lineOf(level, message))
}

/** One message of the server to whoever runs it. */
export function logger(level: LogLevel, message: string): void {
  output(level, message)
}

/** Where messages go from now on; until then one line each goes to standard output, warnings and errors to standard error. */
export function logTo(other: LogOutput): void {
  output = other
}

/**
 * A message as a line of text, with its end. Text from outside cannot begin a line of its own or move a terminal's cursor: control characters
 * are escaped.
 */
export function lineOf(level: LogLevel, message: string): string {
  return `${new Date().toISOString()} ${level} ${printable(message)}\n`
}

/**
 * Text as a terminal and a log may see it: one line, and every character that does not print as an escape. Line breaks are
 * kept readable: they are ours in a stack trace, and look like that in any other case.
 */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    if (character === '\n') return '\\n'
    return `\\u{${character.codePointAt(0)!.toString(16)}}`
  })
}
