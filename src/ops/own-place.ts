import { lstatSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'

/**
 * Refuses to keep a file where somebody else decides what it is: a symbolic link would lead the writing elsewhere, and in a
 * directory that anybody may write to another user may have put the file there before us. `mayHaveNames`: nothing is written that
 * would harm what is under other names of the file, as a copy of hard links has.
 * @throws {Error} saying what is wrong, where, and how to mend it.
 */
export function checkPlace(file: string, { mayHaveNames = false } = {}): void {
  const directory = dirname(file)
  const place = statSync(directory, { throwIfNoEntry: false })
  if (place === undefined)
    throw new Error(`there is no directory ${directory} for ${file}: make it, or name another file`)
  const isShared = (place.mode & OTHERS_WRITE) !== 0
  if (isShared && (place.mode & STICKY) === 0)
    throw new Error(
      `${directory} may be written by anybody, who could replace ${file}: chmod o-w ${directory}`,
    )
  const found = lstatSync(file, { throwIfNoEntry: false })
  if (found === undefined) return
  if (found.isSymbolicLink())
    throw new Error(`${file} is a symbolic link: name the file that it leads to, or remove it`)
  if (!found.isFile()) throw new Error(`${file} is no ordinary file: name another, or remove it`)
  if (found.nlink > 1 && !mayHaveNames)
    throw new Error(
      `${file} has ${found.nlink} names (hard links), and writing to it would change what is under the others: remove it, or name another`,
    )
  if (isShared && found.uid !== process.geteuid?.())
    throw new Error(
      `${file} belongs to another user, in a directory that anybody may write to: choose a directory of your own`,
    )
}

/**
 * The same for a directory that is ours to fill, or will be made. A symbolic link to it is right where nobody else can replace it.
 * @throws {Error} saying what is wrong, where, and how to mend it.
 */
export function checkDirectory(directory: string): void {
  const found = statSync(directory, { throwIfNoEntry: false })
  if (found !== undefined && (found.mode & OTHERS_WRITE) !== 0)
    throw new Error(
      `${directory} may be written by anybody, who could replace what is in it: chmod o-w ${directory}`,
    )
  const parent = dirname(directory)
  const place = statSync(parent, { throwIfNoEntry: false })
  if (place === undefined || (place.mode & OTHERS_WRITE) === 0) return
  if ((place.mode & STICKY) === 0)
    throw new Error(
      `${parent} may be written by anybody, who could replace ${directory}: chmod o-w ${parent}`,
    )
  const name = lstatSync(directory, { throwIfNoEntry: false })
  if (name !== undefined && name.uid !== process.geteuid?.())
    throw new Error(
      `${directory} belongs to another user, in a directory that anybody may write to: choose a directory of your own`,
    )
}

const OTHERS_WRITE = 0o002

/** In such a directory nobody removes or renames the files of others. */
const STICKY = 0o1000
