import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A directory for one test, gone at its end. */
export class TemporaryFiles implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'pubsubd-config-'))

  /** The path of a new file with these contents. */
  write(name: string, contents: string | Uint8Array): string {
    const path = join(this.directory, name)
    writeFileSync(path, contents)
    return path
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true })
  }
}
