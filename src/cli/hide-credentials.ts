/** A word that may be a URL, however broken, for a message: what stands before its last `@` is a name and a password. */
export function hideCredentials(word: string): string {
  return word.replace(/^([a-z][a-z\d+.-]*:\/\/)?.*@/is, '$1…@')
}
