/** A command that a page shows in a `console` block. */
export interface Example {
  readonly command: string
  /** What it prints. */
  readonly lines: readonly string[]
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
