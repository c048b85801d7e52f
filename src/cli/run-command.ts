import { setImmediate } from 'node:timers/promises'
import type { ParseArgsOptionsConfig } from 'node:util'
import { GaveUpError, RefusedError } from '../client/client-error.ts'
import { printable } from '../ops/logger.ts'
import { UsageError } from './arguments.ts'
import { EXIT } from './exit-code.ts'

/** A command as its file exports it. */
export interface Command {
  readonly help: string
  /** As `parseArgs` takes them. */
  readonly options: ParseArgsOptionsConfig
  /** Resolves with the exit code, given the words behind the command's name. */
  readonly run: (words: readonly string[]) => Promise<number>
}

/** Runs it as the whole of this process: help, errors, exit code. `name`: as written, `log info`; empty for what is no command. */
export async function runCommand(
  name: string,
  words: readonly string[],
  { help, run }: Pick<Command, 'help' | 'run'>,
): Promise<void> {
  const outputErrors: NodeJS.ErrnoException[] = []
  process.stdout.on('error', (error) => outputErrors.push(error))
  try {
    process.exitCode = asksForHelp(words) ? print(help) : await run(words)
    await outputTold()
    for (const error of outputErrors)
      // Where the reader has gone, as behind `| head`, nobody misses anything.
      if (error.code !== 'EPIPE')
        throw new Error(`standard output: ${error.message}`, { cause: error })
  } catch (error) {
    const isUsage = error instanceof UsageError
    const [command = ''] = name.split(' ', 1)
    const advice = isUsage ? `\nTry ${named(command)} --help.` : ''
    process.stderr.write(`${named(name)}: ${printable((error as Error).message)}${advice}\n`)
    process.exitCode = exitCodeOf(error)
  }
}

/** The program's own name, with that of a command; the server has none. */
function named(name: string): string {
  return name === '' ? 'pubsubd' : `pubsubd ${name}`
}

function print(text: string): number {
  process.stdout.write(text)
  return EXIT.done
}

/** Resolves once all that was printed is taken, or its 'error' has come: behind the callback, so a turn later. */
async function outputTold(): Promise<void> {
  await new Promise((resolve) => process.stdout.write('', resolve))
  await setImmediate()
}

/** Behind `--` a word is none of ours. */
function asksForHelp(words: readonly string[]): boolean {
  const end = words.indexOf('--')
  return words
    .slice(0, end === -1 ? words.length : end)
    .some((word) => word === '--help' || word === '-h')
}

function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage
  if (error instanceof RefusedError) return EXIT.refused
  return error instanceof GaveUpError ? EXIT.unreachable : EXIT.failed
}
