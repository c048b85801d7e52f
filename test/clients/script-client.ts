import { fileURLToPath } from 'node:url'
import type { Credentials, ListenOptions, PublishAnswer } from './client-contract.ts'
import { ClientProcess } from './client-process.ts'

/** Not every script takes all of them. */
interface ListenScriptOptions extends ListenOptions {
  readonly raw?: boolean
  readonly since?: number
  readonly delimiter?: string
  readonly library?: string
  readonly encoding?: string
}

interface PublishScriptOptions extends Credentials {
  readonly method?: string
  readonly times?: number
}

/** Starts a script of this folder that listens: its URL and options are arguments. */
export function listenWith(
  program: string,
  script: string,
  url: string,
  { environment = {}, ...options }: ListenScriptOptions = {},
): ClientProcess {
  return new ClientProcess(program, [pathOf(script), url, JSON.stringify(options)], { environment })
}

/** Runs a script of this folder that publishes: as `listenWith`, the payload on standard input. It prints its answers. */
export async function publishWith(
  program: string,
  script: string,
  url: string,
  payload: string,
  options: PublishScriptOptions = {},
): Promise<PublishAnswer[]> {
  const args = [pathOf(script), url, JSON.stringify(options)]
  await using publisher = new ClientProcess(program, args, { input: payload })
  const { code, lines, errors } = await publisher.ended()
  if (code !== 0) throw new Error(errors)
  return lines.map((line) => JSON.parse(line) as PublishAnswer)
}

function pathOf(script: string): string {
  return fileURLToPath(new URL(script, import.meta.url))
}
