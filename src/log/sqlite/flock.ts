/**
 * The kernel's lock on a file, whatever its name is: a hard link or a mount leads to the same one. It goes with the process.
 * Node has no call for it; `null` where the library that has is not there, or the kernel is not Linux.
 */
export async function loadFlock(): Promise<((descriptor: number) => boolean) | null> {
  if (process.platform !== 'linux') return null
  try {
    const { default: koffi } = await import('koffi')
    const flock = koffi.load(null).func('int flock(int descriptor, int operation)')
    return (descriptor) => flock(descriptor, EXCLUSIVE_AT_ONCE) === 0
  } catch {
    return null // not installed, or not for this machine
  }
}

/** LOCK_EX and LOCK_NB (sys/file.h). */
const EXCLUSIVE_AT_ONCE = 2 | 4
