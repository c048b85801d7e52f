import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { Client } from 'ldapts'
import { askedFor } from './ldap-result.ts'
import { OptionError } from './option-error.ts'

export interface LdapServerOptions {
  /** `ldap://host:port` or `ldaps://host:port`. */
  readonly uri: string
  /** Go over to TLS on an `ldap://` connection before anything else is said. */
  readonly startTls: boolean
  /** Certificates to trust, as PEM. `null`: those that come with Node. */
  readonly ca: string | null
}

/** Where the directory listens, and how to be sure that it is the one. */
export class LdapServer {
  readonly #isLdaps: boolean
  readonly #startTls: boolean
  readonly #host: string
  readonly #port: number
  readonly #tls: ConnectionOptions

  /** @throws {OptionError} */
  constructor({ uri, startTls, ca }: LdapServerOptions) {
    const url = URL.parse(uri)
    if (url === null || !/^ldaps?:$/.test(url.protocol) || url.hostname === '')
      throw new OptionError('the LDAP uri is neither ldap://host nor ldaps://host')
    this.#isLdaps = url.protocol === 'ldaps:'
    if (this.#isLdaps && startTls) throw new OptionError('ldaps:// and StartTLS exclude each other')
    this.#startTls = startTls
    this.#host = url.hostname.replace(/^\[(.*)\]$/, '$1')
    this.#port = Number(url.port || (this.#isLdaps ? 636 : 389))
    this.#tls = {
      host: this.#host,
      ...(isIP(this.#host) === 0 && { servername: this.#host }),
      ...(ca !== null && { ca: checkedPem(ca) }),
    }
  }

  /** For log lines; without any credentials that the URI may hold. */
  get name(): string {
    return `${this.#isLdaps ? 'ldaps' : 'ldap'}://${this.#host}:${this.#port}`
  }

  /** Gives up when the signal is aborted, with its reason. */
  async connect(signal: AbortSignal): Promise<LdapConnection> {
    const target = { host: this.#host, port: this.#port }
    const socket = this.#isLdaps ? connectTls({ ...this.#tls, ...target }) : connectTcp(target)
    socket.setNoDelay(true)
    const connection = new LdapConnection(socket)
    const isReady = async (client: Client) => {
      await once(socket, this.#isLdaps ? 'secureConnect' : 'connect')
      if (this.#startTls) await askedFor('StartTLS', client.startTLS({ ...this.#tls }))
    }
    try {
      await connection.run(isReady, signal)
    } catch (error) {
      connection.close()
      throw error
    }
    return connection
  }
}

/** One connection to the directory. Never reconnects: after StartTLS that would send passwords in clear text. */
export class LdapConnection {
  readonly #socket: Socket
  readonly #client: Client
  readonly #lost: Promise<never>

  constructor(socket: Socket) {
    this.#socket = socket
    const { promise, reject } = Promise.withResolvers<never>()
    promise.catch(() => {}) // Whoever runs something hears of it.
    this.#lost = promise
    socket.on('error', () => {}) // 'close' follows and knows the error.
    socket.once('close', () =>
      reject(socket.errored ?? new Error('the directory closed the connection')),
    )
    socket.on('timeout', () => socket.destroy())

    // ldapts takes the socket as it is, and would ask for another one after a loss.
    let isTaken = false
    const createConnection = () => {
      if (isTaken) throw new Error('the connection is lost')
      isTaken = true
      return socket
    }
    this.#client = new Client({ url: 'ldap://directory', createConnection })
  }

  get isLost(): boolean {
    return this.#socket.destroyed
  }

  /** Ends with the work, the loss of the connection, or the signal, which closes it. */
  async run<T>(work: (client: Client) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted()
    const close = () => this.#socket.destroy(signal.reason)
    signal.addEventListener('abort', close)
    this.#socket.setTimeout(0)
    try {
      return await Promise.race([work(this.#client), this.#lost])
    } catch (error) {
      // ldapts hears of it first, and adds which of its messages it was.
      throw this.#socket.errored ?? error
    } finally {
      signal.removeEventListener('abort', close)
    }
  }

  /** Closes it unless something is run before. */
  closeAfter(idleMs: number): void {
    this.#socket.setTimeout(idleMs)
  }

  close(): void {
    this.#socket.destroy()
  }
}

function checkedPem(ca: string): string {
  try {
    void new X509Certificate(ca)
    return ca
  } catch (error) {
    throw new OptionError('the CA of the LDAP directory is no PEM certificate', { cause: error })
  }
}
