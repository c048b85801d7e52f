import { existsSync, lstatSync, mkdirSync } from 'node:fs'
import module from 'node:module'
import { join } from 'node:path'
import process from 'node:process'

/**
 * Has Node keep what it makes of our files for the next start: without it, that is most of what a start takes. It is kept where nobody
 * else may write, as what lies there is run; where there is no such place, or one cannot be made, the start takes longer, and nothing else.
 * `NODE_COMPILE_CACHE` and `NODE_DISABLE_COMPILE_CACHE` are Node's own. Plain JavaScript, as what strips types takes 30 ms to load
 * unless the cache is in use by then.
 */
export function useCompileCache() {
  if (process.env['NODE_COMPILE_CACHE'] !== undefined || module.enableCompileCache === undefined)
    return
  const directory = ownDirectory()
  if (directory !== null) module.enableCompileCache(directory)
}

/** `null`: there is none that is ours alone. */
function ownDirectory() {
  const { CACHE_DIRECTORY: ofService, XDG_CACHE_HOME: ofUser, HOME: home } = process.env
  const above = ofService ?? ofUser ?? (home ? join(home, '.cache') : undefined)
  if (!above?.startsWith('/')) return null
  const directory = join(above, 'pubsubd-compiled')
  try {
    // One by one: what Node makes with all above it goes on for ever below /proc. Nothing is made where it would not be used.
    for (const each of [above, directory]) {
      if (!existsSync(each)) mkdirSync(each, { mode: 0o700 })
      if (!isOurs(each)) return null
    }
    return directory
  } catch {
    return null // read-only, or somebody else's
  }
}

/** Nobody else may put anything there, or something else in its place. */
function isOurs(directory) {
  const { uid, gid, mode } = lstatSync(directory)
  const isOwn = uid === process.geteuid?.() || uid === 0
  // Where each user has a group of its own, by the same number, umask 002 is usual, and `~/.cache` is made by it.
  const others =
    gid === uid && gid === process.getegid?.() ? OTHERS_WRITE : GROUP_WRITES | OTHERS_WRITE
  return isOwn && (mode & others) === 0 && (mode & DIRECTORY) !== 0
}

const GROUP_WRITES = 0o020
const OTHERS_WRITE = 0o002
const DIRECTORY = 0o040_000
