import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { hasProgram, PROGRAM_NAMES, PROGRAMS, type ProgramName } from '../programs.ts'
import { closingOf } from './closing.ts'
import { Progress } from './progress.ts'
import { runFile, type FileResult } from './run-file.ts'
import { TemporaryFolder } from './temporary-folder.ts'
import { filesOf, TIERS, type TierName } from './tiers.ts'

/** Files at a time, for each core: most tests wait more than they compute. */
const JOBS_PER_CORE = 2

const JOBS = availableParallelism() * JOBS_PER_CORE

/** Hundreds of processes start from the same sources: each needs half the time when they are compiled already. */
const COMPILE_CACHE = fileURLToPath(
  new URL('../../node_modules/.cache/pubsubd-tests', import.meta.url),
)

const HELP = `Runs tests, all of a tier or those of the given files, and ends with how many passed.

Usage: npm test [-- [--jobs N] [FILE…]]
       npm run test:all [-- --jobs N]
       npm run test:long [-- --portion 0.01]

  --jobs N      files at a time (here ${JOBS}; one at a time in the long tier)
  --portion N   of what a long test does: 1 is what a release needs, 0.01 shows that it works
`

/** A file that takes longer hangs, in ms. */
const LIMIT_MS: Readonly<Record<TierName, number>> = {
  quick: 600_000,
  all: 1_200_000,
  long: 6 * 3_600_000,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    jobs: { type: 'string' },
    portion: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
})
const [tier, ...named] = positionals as [TierName, ...string[]]
const absent = named.filter((file) => !existsSync(file))
if (values.help) process.stdout.write(HELP)
else if (absent.length > 0) {
  process.stderr.write(`No such file: ${absent.join(', ')}\n`)
  process.exitCode = 2
} else await main()

async function main(): Promise<void> {
  const files = named.length > 0 ? named.map((file) => resolve(file)) : filesOf(tier)
  const jobs = Number(values.jobs ?? (tier === 'long' ? 1 : JOBS))
  const interrupted = new AbortController()
  const interrupt = (signal: NodeJS.Signals) => interrupted.abort(signal)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt)
  // Whoever read our output has gone.
  process.stdout.on('error', () => interrupt('SIGPIPE'))

  process.stdout.write(planOf(files.length, jobs))
  const startedMs = performance.now()
  const results: FileResult[] = []
  {
    using folder = new TemporaryFolder()
    const environment = {
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      ...process.env,
      TMPDIR: folder.path,
      PUBSUBD_TEST_PORTION: values.portion,
    }
    using progress = new Progress(process.stdout, files.length)
    const waiting = files.values()
    const work = async (): Promise<void> => {
      for (const file of waiting) {
        if (interrupted.signal.aborted) return
        progress.began(file)
        const result = await runFile(file, {
          limitMs: LIMIT_MS[tier],
          environment,
          signal: interrupted.signal,
        })
        if (interrupted.signal.aborted) return
        progress.ended(result)
        results.push(result)
      }
    }
    await Promise.all(Array.from({ length: jobs }, work))
  }
  if (interrupted.signal.aborted) {
    process.stdout.write(`Interrupted when ${results.length} of ${files.length} files had ended\n`)
    end(interrupted.signal.reason as NodeJS.Signals)
    return
  }
  process.stdout.write(closingOf(results, performance.now() - startedMs, tier === 'long'))
  process.exitCode = results.some(({ failures }) => failures.length > 0) ? 1 : 0
}

/** What will be run, what of it cannot be run here, and what else there is. */
function planOf(count: number, jobs: number): string {
  if (named.length > 0) return `${filesText(count)}, ${jobs} at a time\n`
  const { command, what } = TIERS[tier]
  const absentPrograms = programsOf(tier).filter((name) => !hasProgram(name))
  const others = Object.entries(TIERS).filter(([name]) => name !== tier)
  return [
    `${command}: ${filesText(count)} ${what}, ${jobs} at a time`,
    ...absentPrograms.map(
      (name) => `${name} is not here, tests that need it ${withoutIt()}: ${PROGRAMS[name].install}`,
    ),
    ...others.map(
      ([name, other]) =>
        `Not in this: ${other.command}, ${filesText(filesOf(name as TierName).length)} ${other.what}`,
    ),
    '',
  ].join('\n')
}

function filesText(count: number): string {
  return `${count} ${count === 1 ? 'file' : 'files'}`
}

function programsOf(name: TierName): ProgramName[] {
  return PROGRAM_NAMES.filter((program) => name !== 'quick' || PROGRAMS[program].isUsual)
}

function withoutIt(): string {
  return process.env['CI'] === 'true' ? 'fail (CI=true)' : 'are skipped'
}

/** Ends as by the signal, so that npm and shells know, too. */
function end(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}
