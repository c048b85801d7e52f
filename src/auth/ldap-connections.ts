import type { Client } from 'ldapts'
import { FairQueue } from '../shares/fair-queue.ts'
import type { LdapConnection, LdapServer } from './ldap-connection.ts'

export interface LdapConnectionsOptions {
  /** From a question to its answer, the wait for a connection included, in ms. The port promises 10,000 at most. */
  readonly timeoutMs: number
  readonly connectionsMax: number
  /** Questions that wait for a connection. */
  readonly waitingMax: number
}

/** A few connections to the directory, kept for the next question. Whoever uses one binds first. */
export class LdapConnections implements Disposable {
  readonly #server: LdapServer
  readonly #timeoutMs: number
  #free: number
  readonly #idle: LdapConnection[] = []
  /** Questions that wait for a connection, by their share. */
  readonly #waiting: FairQueue<Waiting>
  readonly #first = new Set<Waiting>()
  readonly #questions = new Set<AbortController>()
  #isDisposed = false

  constructor(
    server: LdapServer,
    { timeoutMs, connectionsMax, waitingMax }: LdapConnectionsOptions,
  ) {
    this.#server = server
    this.#timeoutMs = timeoutMs
    this.#free = connectionsMax
    this.#waiting = new FairQueue(waitingMax)
  }

  /**
   * Shares take turns; `FIRST` waits for no share. Rejects with what `work` throws, when the directory is out of reach, and when
   * time is up.
   * @throws {TooManyWaitingError} others wait, and its share has the most of them.
   */
  async use<T>(work: (client: Client) => Promise<T>, share: string | typeof FIRST): Promise<T> {
    if (this.#isDisposed) throw new Error('the directory is no longer asked')

    const question = new AbortController()
    const late = new Error(`no answer within ${this.#timeoutMs} ms`)
    const timer = setTimeout(() => question.abort(late), this.#timeoutMs)
    this.#questions.add(question)
    try {
      await this.#turn(question.signal, share)
      try {
        return await this.#ask(work, question.signal)
      } finally {
        this.#endTurn()
      }
    } finally {
      clearTimeout(timer)
      this.#questions.delete(question)
    }
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true
    for (const question of this.#questions)
      question.abort(new Error('the directory is no longer asked'))
    for (const connection of this.#idle.splice(0)) connection.close()
  }

  async #ask<T>(work: (client: Client) => Promise<T>, signal: AbortSignal): Promise<T> {
    for (;;) {
      const idle = this.#takeIdle()
      const connection = idle ?? (await this.#server.connect(signal))
      try {
        const result = await connection.run(work, signal)
        connection.closeAfter(IDLE_MS)
        this.#idle.push(connection)
        return result
      } catch (error) {
        // An idle connection may have been closed from the other side just now: that says nothing about the directory.
        const isStale = idle !== undefined && connection.isLost && !signal.aborted
        connection.close()
        if (!isStale) throw error
      }
    }
  }

  #takeIdle(): LdapConnection | undefined {
    let connection = this.#idle.pop()
    while (connection?.isLost === true) connection = this.#idle.pop()
    return connection
  }

  #turn(signal: AbortSignal, share: string | typeof FIRST): Promise<void> {
    if (this.#free > 0) {
      this.#free--
      return Promise.resolve()
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiting = { resolve, reject }
    if (share === FIRST) this.#first.add(waiting)
    else this.#waiting.add(share, waiting)?.reject(new TooManyWaitingError(this.#waiting.size))
    signal.addEventListener('abort', () => {
      if (share === FIRST) this.#first.delete(waiting)
      else this.#waiting.delete(share, waiting)
      reject(signal.reason)
    })
    return promise
  }

  #endTurn(): void {
    const [first] = this.#first
    if (first !== undefined) this.#first.delete(first)
    const next = first ?? this.#waiting.next()
    if (next === undefined) this.#free++
    else next.resolve()
  }
}

interface Waiting {
  resolve(): void
  reject(reason: unknown): void
}

/** The share of what is asked by ourselves, one question after the other. */
export const FIRST = Symbol('first')

export class TooManyWaitingError extends Error {
  override readonly name = 'TooManyWaitingError'

  constructor(waiting: number) {
    super(
      `${waiting} log-ins wait for the LDAP directory (limits.waiting_logins): those of the addresses with the most are told to come again`,
    )
  }
}

/** Firewalls forget silent connections after some minutes, and then swallow what is sent on them. */
const IDLE_MS = 60_000
