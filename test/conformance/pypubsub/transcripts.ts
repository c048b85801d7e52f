import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import type { Case } from './case.ts'
import { ACL, configText } from './configs.ts'
import type { Transcript } from './observation.ts'

const PATH = new URL('transcripts.json', import.meta.url)

export interface Recorded {
  /** Of what was sent: a case that changed since its recording shows. */
  readonly steps: string
  readonly seen: Transcript
}

export type Transcripts = Readonly<Record<string, Recorded>>

export function digestOf({ config, steps }: Case): string {
  return createHash('sha256')
    .update(JSON.stringify([configText(config, 0), ACL, steps]))
    .digest('hex')
    .slice(0, 16)
}

export function readTranscripts(): Transcripts {
  const transcripts: Transcripts = JSON.parse(readFileSync(PATH, 'utf8'))
  return transcripts
}

/** One line per connection: a change of what was seen is a change of few lines. */
export function writeTranscripts(transcripts: Transcripts): void {
  const texts = Object.entries(transcripts).map(([name, { steps, seen }]) => {
    const connections = Object.entries(seen).map(
      ([on, observations]) => `    ${JSON.stringify(on)}: ${JSON.stringify(observations)}`,
    )
    return `  ${JSON.stringify(name)}: {"steps": "${steps}", "seen": {\n${connections.join(',\n')}}}`
  })
  writeFileSync(PATH, `{\n${texts.join(',\n')}\n}\n`)
}
