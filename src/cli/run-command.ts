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

/** Runs it as the whole of this process: help, errors, exit code. `name`: as written, `log info`. */
export async function runCommand(
  name: string,
  words: readonly string[],
  { help, run }: Pick<Command, 'help' | 'run'>,
): Promise<void> {
  if (asksForHelp(words)) return void process.stdout.write(help)
  try {
    process.exitCode = await run(words)
  } catch (error) {
    const isUsage = error instanceof UsageError
    const advice = isUsage ? `\nTry pubsubd ${name.split(' ', 1)[0]} --help.` : ''
    process.stderr.write(`pubsubd ${name}: ${printable((error as Error).message)}${advice}\n`)
    process.exitCode = exitCodeOf(error)
  }
}

/** Behind `--` a word is none of ours. */
export function asksForHelp(words: readonly string[]): boolean {
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
