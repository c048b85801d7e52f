import { serve } from '../../../src/log/sqlite/worker-peer.ts'
import { workerData } from 'node:worker_threads'

/** What `worker-peer.test.ts` calls in another thread. */
export class EchoingThread {
  #calls = 0

  echo(words: unknown): unknown {
    return words
  }

  /** How many calls there were of this, this one included. */
  count(): number {
    return ++this.#calls
  }

  data(): unknown {
    return workerData
  }

  fail({ message, errcode }: { message: string; errcode: number }): never {
    throw Object.assign(new Error(message), { errcode })
  }

  /** Ends the thread as a bug would. */
  crash(message: string): void {
    setImmediate(() => {
      throw new Error(message)
    })
  }

  /** Ends the thread before it has answered. */
  exit(): never {
    process.exit()
  }

  /** Never answers. */
  hang(): never {
    for (;;);
  }
}

if (workerData !== null) serve(new EchoingThread())
