import type { Command } from './run-command.ts'

/** Every command but the server and those of `log`, loaded when somebody wants it. */
export const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ['publish', async () => (await import('./publish.ts')).publishCommand],
  ['listen', async () => (await import('./listen.ts')).listenCommand],
  ['config', async () => (await import('./config.ts')).configCommand],
  ['check', async () => (await import('./check.ts')).checkCommand],
  ['explain', async () => (await import('./explain.ts')).explainCommand],
  ['completion', async () => (await import('./completion.ts')).completionCommand(COMMANDS)],
])
