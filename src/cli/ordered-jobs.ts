/** Runs jobs, several at once, but those with the same key one after the other, and the oldest first. */
export class OrderedJobs {
  readonly #jobsMax: number
  readonly #waitingMax: number
  readonly #waiting: Job[] = []
  readonly #running = new Set<string>()
  #runs = 0
  #isClosed = false
  #changed = Promise.withResolvers<void>()

  /** `waitingMax`: so many are kept, beside those that run. */
  constructor(jobsMax: number, waitingMax: number) {
    this.#jobsMax = jobsMax
    this.#waitingMax = waitingMax
  }

  /** Resolves once there is room for another one. `run` must not throw. Nothing is begun after `close`. */
  async add(key: string, run: () => Promise<void>): Promise<void> {
    if (this.#isClosed) return
    this.#waiting.push({ key, run })
    this.#start()
    while (this.#waiting.length > this.#waitingMax && !this.#isClosed) await this.#changed.promise
  }

  get running(): number {
    return this.#runs
  }

  /** Resolves when one has ended, or all are told to. */
  changed(): Promise<void> {
    return this.#changed.promise
  }

  /** Resolves once nothing runs and nothing waits. */
  async idle(): Promise<void> {
    while (this.#runs > 0 || this.#waiting.length > 0) await this.#changed.promise
  }

  /** What waits is dropped; what runs goes on. */
  close(): void {
    this.#isClosed = true
    this.#waiting.length = 0
    this.#change()
  }

  #start(): void {
    for (let at = 0; this.#runs < this.#jobsMax && at < this.#waiting.length;) {
      const job = this.#waiting[at]!
      if (this.#running.has(job.key)) at++
      else {
        this.#waiting.splice(at, 1)
        void this.#run(job)
      }
    }
  }

  async #run({ key, run }: Job): Promise<void> {
    this.#runs++
    this.#running.add(key)
    await run()
    this.#running.delete(key)
    this.#runs--
    this.#start()
    this.#change()
  }

  #change(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}

interface Job {
  readonly key: string
  readonly run: () => Promise<void>
}
