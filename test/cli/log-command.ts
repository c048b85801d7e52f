import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { takeLogOver } from '../log/sqlite/take-log-over.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

export interface Outcome {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** A directory in which `pubsubd log …` is run as from a shell. */
export class Workplace implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'pubsubd-log-'))

  async run(words: readonly string[], input: string | Buffer = ''): Promise<Outcome> {
    const child = spawn(process.execPath, [MAIN, 'log', ...words], { cwd: this.directory })
    child.stdin.on('error', () => {}) // it may not want to read
    child.stdin.end(input)
    const [out, err] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ])
    return { code: child.exitCode, out, err }
  }

  /** Runs a command that must succeed; what it printed. */
  async output(...words: readonly string[]): Promise<string> {
    const { code, out, err } = await this.run(words)
    assert.equal(code, 0, err)
    return out
  }

  /** A store of these lines; its directory. */
  async store(name: string, lines: string): Promise<string> {
    const { code, err } = await this.run(['import', '--store', name], lines)
    assert.equal(code, 0, err)
    takeLogOver(this.path(name))
    return name
  }

  /** Changes the database of a store, as somebody who should not. */
  change(store: string, sql: string): void {
    const database = new DatabaseSync(join(this.directory, store, 'events.db'))
    database.exec(sql)
    database.close()
  }

  write(name: string, content: string | Buffer): string {
    writeFileSync(join(this.directory, name), content)
    return name
  }

  path(...names: readonly string[]): string {
    return join(this.directory, ...names)
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true })
  }
}

/** When the event `n` of `exported` was published, in seconds since the Unix epoch. */
export const FIRST_SECONDS = 1_700_000_000

/** A line as `pubsubd log export` writes it. */
export function exported(
  n: number,
  { topic = 't', isPrivate = false, payload = `"n": ${n}` } = {},
): string {
  const path = isPrivate ? `/private/${topic}` : `/${topic}`
  const marker = isPrivate ? ', "pubsub_private": true' : ''
  return (
    `{${payload}, "pubsub_timestamp": ${FIRST_SECONDS + n}.5, "pubsub_topics": ["${topic}"], ` +
    `"pubsub_path": "${path}", "pubsub_cursor": "00000000-0000-4000-8000-000000000000"${marker}}\n`
  )
}

export function exportedLines(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, index) => exported(from + index)).join('')
}

/** Lines as they were, but for the cursors, which belong to a store. */
export function withoutCursors(lines: string): string {
  return lines.replace(/"pubsub_cursor": "[^"]+"/g, '"pubsub_cursor": ""')
}
