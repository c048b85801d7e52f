import { parentPort, Worker } from 'node:worker_threads'

// oxlint-disable-next-line typescript/no-explicit-any -- the shape of any method
type Methods<T> = { [K in keyof T]: T[K] extends (argument: any) => unknown ? K : never }[keyof T]
// oxlint-disable-next-line typescript/no-explicit-any -- as above
type Argument<F> = F extends (argument: infer A) => unknown ? A : any
type Result<F> = F extends (argument: never) => infer R ? R : never

interface Request {
  readonly id: number
  readonly method: string
  readonly argument: unknown
}

interface Failure {
  readonly message: string
  /** SQLite's, primary or extended. */
  readonly errcode: number | undefined
  readonly code: string | undefined
  readonly isOutcomeUnknown: boolean
  readonly stack: string | undefined
}

type Reply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failure: Failure }

/** What a method in the worker threw. */
class WorkerError extends Error {
  readonly errcode: number | undefined
  readonly code: string | undefined
  readonly isOutcomeUnknown: boolean
  constructor(failure: Failure) {
    super(failure.message)
    this.errcode = failure.errcode
    this.code = failure.code
    this.isOutcomeUnknown = failure.isOutcomeUnknown
    if (failure.stack !== undefined) this.stack = failure.stack
  }
}

/** Marks an error after which nobody knows whether what was asked for has been done. */
export function withUnknownOutcome(error: Error): Error {
  return Object.assign(error, { isOutcomeUnknown: true })
}

export function hasUnknownOutcome(error: unknown): boolean {
  return (error as Partial<WorkerError>).isOutcomeUnknown === true
}

/** Whether a call that has failed may have been done all the same. A thread that ended by itself tells nothing, so that is one. */
export function mayBeDone(error: Error): boolean {
  return !(error instanceof WorkerError) || error.isOutcomeUnknown
}

/** Calls the methods of an object that lives in a worker thread, one after the other, in the order of the calls. */
export class WorkerPeer<T> {
  readonly #worker: Worker
  readonly #calls = new Map<
    number,
    { resolve: (result: never) => void; reject: (error: Error) => void }
  >()
  #lastId = 0
  #end: Error | undefined

  /** `onCrash`: it ended by itself; all calls are rejected already. */
  constructor(source: URL, data: unknown, onCrash: (error: Error) => void) {
    this.#worker = new Worker(source, { workerData: data })
    this.#worker.on('message', (reply: Reply) => this.#answer(reply))
    let error = new Error('the thread ended')
    this.#worker.on('error', (thrown) => {
      error = thrown instanceof Error ? thrown : new Error(String(thrown))
    })
    this.#worker.on('exit', () => {
      if (this.#end !== undefined) return
      this.#fail(error)
      onCrash(error)
    })
  }

  call<K extends Methods<T>>(method: K, argument: Argument<T[K]>): Promise<Awaited<Result<T[K]>>> {
    if (this.#end !== undefined) return Promise.reject(this.#end)
    const id = ++this.#lastId
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is a window's
    this.#worker.postMessage({ id, method: String(method), argument } satisfies Request)
    return new Promise((resolve, reject) => this.#calls.set(id, { resolve, reject }))
  }

  async terminate(): Promise<void> {
    if (this.#end !== undefined) return
    this.#fail(new Error('the thread was stopped'))
    await this.#worker.terminate()
  }

  #answer(reply: Reply): void {
    const call = this.#calls.get(reply.id)
    this.#calls.delete(reply.id)
    if ('failure' in reply) call?.reject(new WorkerError(reply.failure))
    else call?.resolve(reply.result as never)
  }

  #fail(error: Error): void {
    this.#end = error
    const calls = [...this.#calls.values()]
    this.#calls.clear()
    for (const { reject } of calls) reject(error)
  }
}

/** The worker's side: answers calls with the methods of an object. */
export function serve(object: object): void {
  parentPort!.on('message', ({ id, method, argument }: Request) => {
    let reply: Reply
    try {
      const result = (object as Record<string, (argument: unknown) => unknown>)[method]!(argument)
      reply = { id, result }
    } catch (error) {
      const failure = error as Error & Partial<Failure>
      const { message, stack, errcode, code, isOutcomeUnknown: isUnknown = false } = failure
      reply = { id, failure: { message, stack, errcode, code, isOutcomeUnknown: isUnknown } }
    }
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is a window's
    parentPort!.postMessage(reply)
  })
}
