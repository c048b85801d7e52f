import type { Setting } from './section.ts'

/** Columns of a line of the shipped file. */
const COLUMNS_MAX = 120

/**
 * A section as it stands in `pubsub.yaml` when it is off: each line a comment, each setting with what there is to say about it
 * and its default. `columns`: how far it is indented.
 * @throws {Error} a setting has no description: whoever adds one has to say what it is for.
 */
export function describeSection(section: Setting<unknown>, columns: number): string {
  return linesOf(section, columns)
    .map((line) => `# ${line}\n`)
    .join('')
}

function linesOf({ key, described, fields }: Setting<unknown>, columns: number): string[] {
  if (described === undefined) throw new Error(`the setting ${key} has no description`)
  const indentation = ' '.repeat(columns)
  const { about, example, shown } = described
  const comment = wrapped(about, COLUMNS_MAX - columns - '# # '.length)
  const lines = comment.map((line) => `${indentation}# ${line}`)
  const value = example ?? shown
  if (fields === undefined || value !== undefined) {
    if (value === undefined) throw new Error(`the setting ${key} shows no value`)
    return [...lines, `${indentation}${key}: ${value}`]
  }
  const below = Object.values(fields).flatMap((field) => linesOf(field, columns + 2))
  return [...lines, `${indentation}${key}:`, ...below]
}

/** The words in their order, on lines of at most so many characters. */
function wrapped(text: string, charactersMax: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > charactersMax) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
