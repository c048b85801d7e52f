/** What a netrc file says of a machine. */
export interface NetrcEntry {
  readonly login: string | null
  readonly password: string | null
}

/**
 * The entry for a machine, or else the default entry, of the text of a netrc file (as curl and Python read it: words with
 * white space between, `"…"` with backslash escapes, comments, macros that end with an empty line). `login`: only an entry
 * of that login. `null`: there is none.
 */
export function netrcEntry(text: string, machine: string, login: string | null): NetrcEntry | null {
  let entry: { login: string | null; password: string | null } | null = null
  const isWanted = () => entry !== null && (login === null || entry.login === login)
  const words = wordsOf(text)
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!
    if (word === 'machine' || word === 'default') {
      if (isWanted()) return entry
      const isMatch = word === 'default' || words[++at]?.toLowerCase() === machine.toLowerCase()
      entry = isMatch ? { login: null, password: null } : null
    } else if (word === 'login' || word === 'password' || word === 'account') {
      const value = words[++at] ?? null
      if (entry !== null && word !== 'account') entry[word] = value
    }
  }
  return isWanted() ? entry : null
}

function wordsOf(text: string): string[] {
  const lines = withoutMacros(text.split('\n'))
  // Only a whole line is a comment: a password may begin with #.
  const withoutComments = lines.filter((line) => !/^[ \t]*#/.test(line)).join('\n')
  return Array.from(withoutComments.matchAll(/"((?:\\.|[^"\\])*)"|\S+/g), ([word, quoted]) =>
    quoted === undefined ? word : quoted.replace(/\\(.)/g, '$1'),
  )
}

/** A macro ends with an empty line. */
function withoutMacros(lines: readonly string[]): string[] {
  let isMacro = false
  return lines.filter((line) => {
    isMacro = isMacro ? !/^[ \t]*\r?$/.test(line) : /^[ \t]*macdef\b/.test(line)
    return !isMacro
  })
}
