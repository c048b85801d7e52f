export type LogLevel = 'info' | 'warn' | 'error'

/**
 * One line per message on standard output, warnings and errors on standard error. Text from outside cannot begin a line of
 * its own or move a terminal's cursor: control characters are escaped.
 */
export function logger(level: LogLevel, message: string): void {
  const stream = level === 'info' ? process.stdout : process.stderr
  stream.write(`${new Date().toISOString()} ${level} ${printable(message)}\n`)
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
