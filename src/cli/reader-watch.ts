import { fstatSync } from 'node:fs'

/**
 * Notices that whoever read our standard output has gone, as `| head -1` does, although there is nothing to write to it: a pipe without a
 * reader tells only who writes or asks the kernel. Without koffi it is noticed by the next event.
 */
export class ReaderWatch implements Disposable {
  #timer: NodeJS.Timeout | undefined

  constructor(onGone: () => void) {
    if (isPipe()) void this.#begin(onGone)
  }

  async #begin(onGone: () => void): Promise<void> {
    const hasReader = await loadHasReader()
    if (hasReader === null) return
    this.#timer = setInterval(() => {
      if (!hasReader()) onGone()
    }, LOOK_MS).unref()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}

function isPipe(): boolean {
  try {
    return fstatSync(1).isFIFO()
  } catch {
    return false
  }
}

async function loadHasReader(): Promise<(() => boolean) | null> {
  try {
    const { default: koffi } = await import('koffi')
    const poll = koffi
      .load(null)
      .func('int poll(uint8_t *descriptors, unsigned long count, int ms)')
    // struct pollfd: the descriptor, what is asked for, which is nothing, and what is so.
    const asked = Buffer.alloc(8)
    asked.writeInt32LE(1)
    return () => {
      poll(asked, 1, 0)
      return (asked.readInt16LE(6) & POLLERR) === 0
    }
  } catch {
    return null // not installed, or not for this machine
  }
}

const POLLERR = 8
const LOOK_MS = 200
