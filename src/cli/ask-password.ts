import { openSync } from 'node:fs'
import { ReadStream, WriteStream } from 'node:tty'

/**
 * Asks on the terminal, whatever standard input is, without showing what is typed. `null`: there is no terminal. Ctrl-C ends the process, as
 * it would otherwise, with the terminal as it was.
 */
export async function askPassword(question: string): Promise<string | null> {
  // Whoever has sent what we say elsewhere would not see the question.
  const terminal = process.stderr.isTTY ? openTerminal() : null
  if (terminal === null) return null
  const { input, output } = terminal
  // Before the question, so that nothing that is typed upon it is shown.
  input.setRawMode(true)
  output.write(question)
  let typed = ''
  try {
    for await (const chunk of input.setEncoding('utf8')) {
      for (const key of chunk as string) {
        if (key === '\r' || key === '\n' || key === '\u0004') return typed
        if (key === '\u0003') {
          input.setRawMode(false)
          output.write('\n')
          process.kill(process.pid, 'SIGINT')
          return null
        }
        if (key === '\u007f' || key === '\b') typed = typed.replace(/.$/u, '')
        else if (key >= ' ') typed += key
      }
    }
    return typed
  } finally {
    input.setRawMode(false)
    output.write('\n')
    input.destroy()
    output.destroy()
  }
}

function openTerminal(): { readonly input: ReadStream; readonly output: WriteStream } | null {
  try {
    return {
      input: new ReadStream(openSync('/dev/tty', 'r')),
      output: new WriteStream(openSync('/dev/tty', 'w')),
    }
  } catch {
    return null // a job without a terminal, or a system without that name
  }
}
