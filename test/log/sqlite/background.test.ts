import assert from 'node:assert/strict'
import { once } from 'node:events'
import { getPriority } from 'node:os'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'

/** Says the priority of its own thread before and after. */
const THREAD = `
  const { getPriority } = require('node:os')
  const { readlinkSync } = require('node:fs')
  const { parentPort, workerData } = require('node:worker_threads')
  const own = () => getPriority(Number(readlinkSync('/proc/thread-self').split('/').at(-1)))
  const before = own()
  import(workerData).then(({ goToBackground }) => {
    goToBackground()
    parentPort.postMessage({ before, after: own() })
  })
`

test(
  'the thread that goes to the background has less of the core, and no other thread has',
  { skip: process.platform === 'linux' ? false : 'only Linux has priorities of threads' },
  async () => {
    const before = getPriority()
    const module = new URL('../../../src/log/sqlite/background.ts', import.meta.url).href
    const thread = new Worker(THREAD, { eval: true, workerData: module })
    const [told] = await once(thread, 'message')
    await thread.terminate()
    assert.equal(told.before, before)
    assert.equal(told.after, Math.max(before, 10))
    assert.equal(getPriority(), before)
  },
)
