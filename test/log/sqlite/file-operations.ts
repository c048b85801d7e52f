import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EventLog } from '../../../src/hub/event-log.ts'
import type { PublishedEvent } from '../../../src/hub/event.ts'
import { publication } from '../../contracts/event-log.ts'
import { StoreFolder } from './store-folder.ts'
import { appendTo } from '../append-to.ts'

/**
 * What hands do to the files of a running server, for a shell: `$S` is the store, `$O` a copy of it as it was once, `$P` the
 * directory of both. The server must store nothing after it.
 */
export const HARMFUL: Readonly<Record<string, string>> = {
  'the directory is moved away': 'mv $S $P/away',
  'a copy is moved to the place of the directory': 'mv $S $P/away && mv $O $S',
  'the directory is deleted and made again': 'rm -rf $S && mkdir $S',
  'a backup is restored to its place': 'rm -rf $S && cp -r $O $S',
  'a backup is copied over it': 'cp $O/* $S/',
  'the directory is replaced by a link to a copy': 'mv $S $P/away && ln -s $O $S',
  'all files of the database are deleted': 'rm $S/events.db*',
  'the database is deleted': 'rm $S/events.db',
  'the database is emptied': ': > $S/events.db',
  'the database is cut off': 'truncate -s -4096 $S/events.db',
  'an old database is copied over it': 'cp $O/events.db $S/events.db',
  'an old database is copied over it with its times': 'cp -p $O/events.db $S/events.db',
  'an old database is copied over it and given the times of this one':
    'touch -r $S/events.db $P/times && cp $O/events.db $S/events.db && touch -r $P/times $S/events.db',
  'an old database is written over it, block by block':
    'dd if=$O/events.db of=$S/events.db conv=notrunc bs=4096 status=none',
  'an old database is moved over it': 'mv $O/events.db $S/events.db',
  'a page of the database is overwritten':
    'dd if=/dev/zero of=$S/events.db bs=4096 seek=2 count=1 conv=notrunc status=none',
  'an old write-ahead log is copied over it': 'cp $O/events.db-wal $S/events.db-wal',
  'an old write-ahead log is moved over it': 'mv $O/events.db-wal $S/events.db-wal',
  'the write-ahead log is emptied': ': > $S/events.db-wal',
  'the write-ahead log is deleted': 'rm $S/events.db-wal',
  'the index of the write-ahead log is deleted': 'rm $S/events.db-shm',
  'an old index is copied over it': 'cp $O/events.db-shm $S/events.db-shm',
  'the write-ahead log and its index are deleted': 'rm $S/events.db-wal $S/events.db-shm',
  'the lock is deleted': 'rm $S/owner.lock',
  'the lock is deleted and made again': 'rm $S/owner.lock && touch $S/owner.lock',
  'the lock beside the directory is deleted': 'rm $S.lock',
}

/** After these it must go on. */
export const HARMLESS: Readonly<Record<string, string>> = {
  'the directory is moved away and back': 'mv $S $P/away && mv $P/away $S',
  'the directory is moved, and a link leads to it': 'mv $S $P/elsewhere && ln -s elsewhere $S',
  'the database is moved away and back': 'mv $S/events.db $P/away && mv $P/away $S/events.db',
  'modes are changed': 'chmod 750 $S && chmod 640 $S/events.db $S/events.db-wal',
  'a copy is made': 'cp -r $S $P/copy',
  'a copy is made of hard links': 'cp -al $S $P/links',
  'a file is put beside it': 'touch $S/note',
  'its number is deleted': 'rm $S/owner.pid',
}

/** A store at a place of its own, and a copy of it as it was once. */
export class PlacedStore implements Disposable {
  readonly parent = mkdtempSync(join(tmpdir(), 'pubsubd-place-'))
  readonly folder = new StoreFolder(join(this.parent, 'events.pubsubd'))
  readonly acknowledged: PublishedEvent[] = []
  #n = 0

  /** Whose database is newer than that of the copy. */
  static async fill(): Promise<PlacedStore> {
    const place = new PlacedStore()
    for (const round of [1, 2]) {
      await using store = await place.folder.open()
      for (let n = 0; n < 3; n++) await place.publish(store.log)
      if (round === 1) place.shell('cp -r $S $O')
    }
    return place
  }

  /** The same at another place. */
  copy(): PlacedStore {
    const copy = new PlacedStore()
    copy.shell(`cp -r ${this.parent}/. $P/`)
    copy.acknowledged.push(...this.acknowledged)
    copy.#n = this.#n
    return copy
  }

  async publish(log: Pick<EventLog, 'append' | 'onCommit'>): Promise<void> {
    this.acknowledged.push(...(await appendTo(log, [publication(`/${this.#n++}`)])))
  }

  /** Of a running store: as it is now. */
  copyLog(): void {
    this.shell('[ $S -ef $O ] || cp $S/events.db-wal $S/events.db-shm $O/')
  }

  shell(command: string): string {
    const env = {
      ...process.env,
      P: this.parent,
      S: this.folder.directory,
      O: join(this.parent, 'old'),
    }
    return execFileSync('sh', ['-ec', command], { env, encoding: 'utf8' })
  }

  /** Which files stand there, and what is in them. A hand that leaves it as it was has done nothing: it had nothing to copy, or the same. */
  state(): string {
    return this.shell(
      '{ find -L $S $S.lock -printf "%p %i\\n" || true; find -L $S -type f -exec cksum {} + || true; } 2>&1 | sort',
    )
  }

  /** Sums of all files at the place, but for what SQLite keeps there for all processes. */
  contents(): string {
    return this.shell(
      '{ find -L $S -type f ! -name "*-shm" -exec cksum {} + || true; } 2>&1 | sort',
    )
  }

  [Symbol.dispose](): void {
    rmSync(this.parent, { recursive: true, force: true })
  }
}
