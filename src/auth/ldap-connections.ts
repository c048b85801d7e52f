import type { Client } from 'ldapts'
import type { LdapConnection, LdapServer } from './ldap-connection.ts'

export interface LdapConnectionsOptions {
  /** From a question to its answer, the wait for a connection included, in ms. The port promises 10,000 at most. */
  readonly timeoutMs: number
  readonly connectionsMax: number
}

/** A few connections to the directory, kept for the next question. Whoever uses one binds first. */
export class LdapConnections implements Disposable {
  readonly #server: LdapServer
  readonly #timeoutMs: number
  #free: number
  readonly #idle: LdapConnection[] = []
  /** Questions that wait for a connection, first come, first served. */
  readonly #waiting = new Set<() => void>()
  readonly #questions = new Set<AbortController>()
  #isDisposed = false

  constructor(server: LdapServer, { timeoutMs, connectionsMax }: LdapConnectionsOptions) {
    this.#server = server
    this.#timeoutMs = timeoutMs
    this.#free = connectionsMax
  }

  /** Rejects with what `work` throws, when the directory is out of reach, and when time is up. */
  async use<T>(work: (client: Client) => Promise<T>): Promise<T> {
    if (this.#isDisposed) throw new Error('the directory is no longer asked')
    if (this.#waiting.size >= WAITING_MAX)
      throw new Error(`${WAITING_MAX} logins are waiting for the directory`)

    const question = new AbortController()
    const late = new Error(`no answer within ${this.#timeoutMs} ms`)
    const timer = setTimeout(() => question.abort(late), this.#timeoutMs)
    this.#questions.add(question)
    try {
      await this.#turn(question.signal)
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

  #turn(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    if (this.#free > 0) {
      this.#free--
      resolve()
    } else {
      this.#waiting.add(resolve)
      signal.addEventListener('abort', () => {
        this.#waiting.delete(resolve)
        reject(signal.reason)
      })
    }
    return promise
  }

  #endTurn(): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free++
    } else {
      this.#waiting.delete(next)
      next()
    }
  }
}

/** More would not be answered in time anyway: a login takes some 10 ms, and memory must stay bounded. */
const WAITING_MAX = 1_000

/** Firewalls forget silent connections after some minutes, and then swallow what is sent on them. */
const IDLE_MS = 60_000
