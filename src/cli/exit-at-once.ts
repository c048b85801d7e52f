import { flushCompileCache } from 'node:module'

/**
 * Ends the process without what libraries do in their last moment: koffi flushes standard output and error to the disk, and on a
 * slow one that takes as long as everything else. Without koffi it is `process.exit`.
 */
export async function loadExit(): Promise<(code: number) => void> {
  if (process.platform !== 'linux') return processExit
  try {
    const { default: koffi } = await import('koffi')
    const exitAtOnce = koffi.load(null).func('void _exit(int status)')
    return (code) => {
      flushCompileCache()
      exitAtOnce(code)
    }
  } catch {
    return processExit
  }
}

function processExit(code: number): never {
  process.exit(code)
}
