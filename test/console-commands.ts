/** A command that a page shows in a `console` block. */
export interface Example {
  readonly command: string
  /** What it prints. */
  readonly lines: readonly string[]
}

/** Exactly those lines; `varying`: what is different each time, and there is written in `characters`. */
export function patternOf(lines: readonly string[], varying: RegExp, characters: string): RegExp {
  const patterns = lines.map((line) =>
    line
      .split(varying)
      .map((part) => RegExp.escape(part))
      .join(`[${characters}]+`),
  )
  return new RegExp(`^${patterns.join('\n')}\n?$`)
}

/** All of them, in order. */
export function consoleCommands(page: string): Example[] {
  return [...page.matchAll(/```console\n(.*?)```/gs)].flatMap(([, block]) =>
    block!
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const [command, ...lines] = part.trimEnd().split('\n')
        return { command: command!, lines }
      }),
  )
}
