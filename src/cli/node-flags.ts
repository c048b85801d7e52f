import process from 'node:process'

/**
 * Flags that only the start of a process can set. A small young generation makes publishing faster. Without
 * the flag an idle stream once took 3 KB more; with 2 or 4 MB it takes the same now (docs/decisions/0015). A collector with
 * threads of its own takes the core from the thread that writes the log: beside 50 replays the slowest hundredth of live
 * events came 15 ms later, without them 3 (bench/replay.ts). Node's own program on large pages, where the kernel has
 * them, takes 4 % off the CPU of a fan-out, for 12 MB more. And without `--disable-sigusr1` anybody who may signal us
 * could open Node's inspector.
 */
export const FLAGS: readonly string[] = [
  '--max-semi-space-size=1',
  '--single-threaded-gc',
  '--use-largepages=silent',
  '--disable-sigusr1',
]

/** Begins this process anew, under the same pid, unless it has the flags already, as from bin/pubsubd. */
export function runWithFlags(): void {
  const missing = FLAGS.filter((flag) => !process.execArgv.includes(flag))
  if (missing.length === 0 || process.execve === undefined) return
  const [script, ...rest] = process.argv.slice(1)
  process.execve(process.execPath, [
    process.execPath,
    ...process.execArgv,
    ...missing,
    script!,
    ...rest,
  ])
}
