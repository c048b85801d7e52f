import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** For all that tests write. Its name is short: paths of Unix sockets may have 107 bytes. */
export class TemporaryFolder implements Disposable {
  readonly path: string

  constructor() {
    this.path = mkdtempSync(join(tmpdir(), 'pubsubd-'))
    chmodSync(this.path, 0o711) // servers that give up root find what is theirs
  }

  /** A test that was killed may have left something mounted. */
  [Symbol.dispose](): void {
    for (const mounted of mountsBelow(this.path)) spawnSync('umount', ['--lazy', mounted])
    rmSync(this.path, { recursive: true, force: true, maxRetries: 3 })
  }
}

function mountsBelow(path: string): string[] {
  try {
    return readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '')
      .filter((mounted) => mounted.startsWith(`${path}/`))
  } catch {
    return [] // not Linux
  }
}
