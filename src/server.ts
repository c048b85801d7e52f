import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo, Server as AnyServer } from 'node:net'
import { AclUsers, type AclUser } from './auth/acl-users.ts'
import { AddressList } from './auth/address-list.ts'
import { AttemptLimiter } from './auth/attempt-limiter.ts'
import type { LdapDirectory } from './auth/ldap-directory.ts'
import { SYSTEM_CLOCK } from './auth/clock.ts'
import { OptionError } from './auth/option-error.ts'
import { LoginGate } from './auth/login-gate.ts'
import { Logins } from './auth/logins.ts'
import { Policy } from './auth/policy.ts'
import { WebPages } from './auth/web-pages.ts'
import type { Settings } from './config/schema.ts'
import { configuredDoors } from './doors.ts'
import { httpServers } from './http/server/app.ts'
import { ConnectionLimit, type ConnectionLimitOptions } from './http/server/connection-limit.ts'
import { Cors } from './http/server/cors.ts'
import { DescriptorFanOut } from './sockets/fan-out.ts'
import { RequestCounters } from './http/server/door.ts'
import { pageFiles } from './http/pages/page-files.ts'
import { loadSwagger } from './http/pages/openapi-document.ts'
import { loadSyntax } from './where/syntax.ts'
import { WhereExpressions } from './where/where.ts'
import type { OnBug } from './hub/bug.ts'
import { Hub } from './hub/hub.ts'
import type { StateStore } from './hub/state-store.ts'
import type { EventLog } from './hub/event-log.ts'
import { importPypubsubBacklog } from './log/tools/import-pypubsub.ts'
import { MemoryStateStore } from './log/memory/memory-state-store.ts'
import { openSqliteStore } from './log/sqlite/sqlite-store.ts'
import { MemoryEventLog } from './log/memory/memory-event-log.ts'
import { BugReport } from './ops/bug-report.ts'
import { logger } from './ops/logger.ts'
import { openFiles, openFilesMax } from './ops/open-files.ts'
import { SeldomReport } from './ops/seldom-report.ts'
import type { ConfiguredDoor, CountedConnections, Door, DoorEnvironment } from './protocols/door.ts'
import type { MountedDoor } from './sockets/mounted-door.ts'
import { readPage } from './ui/page.ts'
import { beginWork } from './ops/current-work.ts'
import { StartError } from './ops/start-error.ts'
import { VERSION } from './ops/version.ts'
import { Watchdog } from './ops/watchdog.ts'

/** What is no setting. Absent ones are the constants of their rooms, which tests do not wait for. */
export interface Times {
  readonly keepAliveMs?: number
  /** Those of doors, by their own names. */
  readonly [name: string]: number | undefined
}

export interface RunningServer {
  /** Where it listens, e.g. `http://0.0.0.0:2069`, its doors' own ports included. */
  readonly urls: readonly string[]
  /** Open streams are judged by these users before it returns. */
  replaceUsers(users: readonly AclUser[]): void
  /**
   * Takes over what can change while it runs (`config/changed-settings.ts`).
   * @throws {OptionError} one of these settings cannot work; then nothing has changed.
   */
  replaceSettings(settings: Settings): void
  /** Refuses new connections, tells the open streams, and returns when they are gone, or soon anyway. */
  stop(): Promise<void>
}

/**
 * The composition root: every room gets its slice of the settings.
 * @throws {OptionError} a setting cannot work. {StartError} the system does not let it: a port, the store.
 */
export async function startServer(
  settings: Settings,
  users: readonly AclUser[],
  times: Times = {},
): Promise<RunningServer> {
  const { server, clients, limits } = settings
  const bugs = new BugReport(logger)
  const onBug: OnBug = (doing, error) => bugs.add(doing, error)
  const { eventLog, stateStore } = await openStore(server.backlog, limits, onBug)
  const hubOptions = {
    queueBytesMax: limits.queueBytesMax,
    stallTimeoutMs: limits.stallTimeoutMs,
    topicFiltersMax: limits.topicFiltersTotalMax,
    conditionsMax: limits.conditionsMax,
    perShare: {
      topicFiltersMax: limits.topicFiltersPerAddressMax,
      conditionsMax: limits.conditionsPerAddressMax,
      streamsMax: limits.streamsPerAddressMax,
      streamsLeft: () => connections.limit?.left ?? Infinity,
    },
    drainWindowMs: server.drainWindowMs,
    keepAliveMs: times.keepAliveMs,
    onBug,
  }
  const connections = new Connections()
  const hub = new Hub(eventLog, hubOptions, new DescriptorFanOut())
  const publishers = addressList(clients.payloaders)
  const trustedProxies = addressList(clients.trustProxy)
  const directory = await openDirectory(clients.ldap, limits)
  const aclUsers = new AclUsers(users)
  const logins = new Logins(aclUsers, directory)
  const limiter = new AttemptLimiter(limits.loginDelayMsMax, SYSTEM_CLOCK)
  const gateOptions = {
    limiter,
    refusalMs: limits.loginRefusalMs,
    clock: SYSTEM_CLOCK,
    logger,
  }
  const gate = new LoginGate(logins, gateOptions)
  const webPages = new WebPages({
    hostnames: server.hostnames,
    corsOrigins: server.cors.origins,
  })
  const policy = new Policy({ publishers, secureTopics: clients.secureTopics })
  const configured = configuredDoors(settings.protocols)
  const doors = await openDoors(configured, {
    hub,
    state: stateStore,
    policy,
    identityOf: (name) => aclUsers.identityOf(name),
    logins: gate,
    logInBy: (authenticator) => new LoginGate(authenticator, gateOptions),
    limiter,
    connections,
    limits,
    times,
    logger,
  })
  const counters = new RequestCounters(hub, VERSION)
  const connectionLimit = new ConnectionLimit(connectionsOf(settings, configured), counters)
  connections.begin(connectionLimit)
  const { plain, secure } = await httpServers(
    {
      hub,
      logins: gate,
      policy,
      webPages,
      cors: new Cors(webPages),
      counters,
      connectionLimit,
      version: VERSION,
      where: new WhereExpressions(limits),
      page: pageFiles(readPage()),
      mounts: mountsOf(doors),
      options: {
        limits: { ...limits, payloadBytesMax: server.payloadBytesMax },
        trustedProxies,
        oldschoolers: clients.oldschoolers,
        rejectBadCredentials: clients.badCredentials === 'reject',
      },
      bugs,
    },
    server.tls === null ? null : { cert: server.tls.certPem, key: server.tls.keyPem },
  )
  if (clients.trustProxy.length === 0 && LOOPBACK.some((address) => publishers.includes(address)))
    logger(
      'warn',
      'clients.payloaders lists a loopback address and clients.trust_proxy is empty: ' +
        'behind a reverse proxy on this machine everybody could publish',
    )

  const listening: Server[] = []
  try {
    const urls = [await listen(plain, 'http', server.bind, server.port, 'port')]
    listening.push(plain)
    if (secure !== null && server.tls !== null) {
      urls.push(await listen(secure, 'https', server.bind, server.tls.port, 'tls', 'port'))
      listening.push(secure)
    }
    urls.push(...doors.flatMap((door) => door.urls))
    void loadSyntax()
    void loadSwagger()
    const watchdog = new Watchdog(logger) // behind the start, which may take its time
    return {
      urls,
      replaceUsers(replacement) {
        beginWork('new users:', replacement.length)
        logins.replace(replacement)
      },
      replaceSettings({ clients: { payloaders, secureTopics }, server: { tls }, protocols }) {
        const prepared = preparedDoors(configuredDoors(protocols), doors)
        policy.replace({ publishers: addressList(payloaders), secureTopics })
        for (const change of prepared) change()
        // Connections that are open keep what they have agreed on.
        if (tls !== null) secure?.setSecureContext({ cert: tls.certPem, key: tls.keyPem })
      },
      stop() {
        watchdog[Symbol.dispose]()
        return stop({ servers: listening, hub, doors, stores: [eventLog, directory] })
      },
    }
  } catch (error) {
    await stop({ servers: listening, hub, doors, stores: [eventLog, directory] })
    throw error
  }
}

/**
 * Descriptors that are left once all that is open at the start is counted are for connections, but for those that may be
 * opened later on: to the directory, for webhooks, for a store that is opened anew, and for telling those that are too many.
 */
function connectionsOf(
  { limits, clients }: Settings,
  doors: readonly ConfiguredDoor[],
): ConnectionLimitOptions {
  const report = new SeldomReport(logger, 'warn')
  const wanted = limits.connectionsMax || Infinity
  const filesMax = openFilesMax()
  if (filesMax === null) return { connectionsMax: wanted, refusedMax: REFUSED_MAX, report }
  const later = doors.reduce(
    (sum, door) => sum + door.openFilesMax,
    clients.ldap?.connectionsMax ?? 0,
  )
  const left = filesMax - openFiles() - later
  const refusedMax = Math.max(1, Math.min(REFUSED_MAX, Math.floor(left / 4)))
  const possible = left - refusedMax - Math.min(SPARE_FILES, Math.floor(left / 4))
  const connectionsMax = Math.max(1, Math.min(wanted, possible))
  if (connectionsMax < Math.min(wanted, CONNECTIONS_WANTED))
    logger(
      'warn',
      `at most ${filesMax} open files leave room for ${connectionsMax} connections, and each stream is one: ` +
        'raise it (ulimit -n, LimitNOFILE)',
    )
  return { connectionsMax, refusedMax, report }
}

/** Enough for 9,000 streams and some. */
const CONNECTIONS_WANTED = 9_500

/** Connections beyond the limit that are told at the same time. */
const REFUSED_MAX = 64

/** For the files of a store that is opened anew while the old ones are still open, name look-ups, and what libraries open. */
const SPARE_FILES = 64

/** In memory, or on disk; then with what PyPubSub has left there. */
async function openStore(
  backlog: Settings['server']['backlog'],
  { keyWindowMs, keysMax }: Settings['limits'],
  onBug: OnBug,
): Promise<{ readonly eventLog: EventLog; readonly stateStore: StateStore }> {
  const { storage } = backlog
  const options = { ...backlog, keyWindowMs, keysMax, onBug }
  if (storage === null) {
    const stateStore: MemoryStateStore = new MemoryStateStore(() => eventLog.timeAgo(0))
    const eventLog: MemoryEventLog = new MemoryEventLog({ ...options, state: stateStore, logger })
    return { eventLog, stateStore }
  }
  const directory = `${storage}.pubsubd`
  const store = await openSqliteStore({ ...options, directory, logger }).catch((error: Error) => {
    throw StartError.at(['server', 'backlog', 'storage'], 'cannot be used', error)
  })
  try {
    await importPypubsubBacklog(storage, store, { limits: backlog, logger })
    return store
  } catch (error) {
    await store.eventLog[Symbol.asyncDispose]()
    throw error
  }
}

/** With the library, which nobody else needs. */
async function openDirectory(
  ldap: Settings['clients']['ldap'],
  { waitingLoginsMax: waitingMax }: Settings['limits'],
): Promise<LdapDirectory | null> {
  if (ldap === null) return null
  const { LdapDirectory } = await import('./auth/ldap-directory.ts')
  return new LdapDirectory({ ...ldap, waitingMax }, logger)
}

/** @throws {OptionError} one cannot be opened; those that were are closed again. */
async function openDoors(
  configured: readonly ConfiguredDoor[],
  environment: DoorEnvironment,
): Promise<readonly Door[]> {
  await using opened = new AsyncDisposableStack()
  const doors: Door[] = []
  for (const each of configured) doors.push(opened.use(await each.open(environment)))
  opened.move() // they are the server's to close from now on
  return doors
}

/** Doors listen before it is known how many connections there can be, which depends on what is open then. */
class Connections implements CountedConnections {
  limit: ConnectionLimit | null = null
  readonly #early: AnyServer[] = []

  count(server: AnyServer): void {
    if (this.limit === null) this.#early.push(server)
    else this.limit.count(server)
  }

  begin(limit: ConnectionLimit): void {
    this.limit = limit
    for (const server of this.#early) limit.count(server)
  }

  get isExceeded(): boolean {
    return this.limit?.isExceeded ?? false
  }
}

/** What makes the doors that there are follow other settings. @throws {OptionError} one cannot; nothing has changed. */
function preparedDoors(
  configured: readonly ConfiguredDoor[],
  doors: readonly Door[],
): readonly (() => void)[] {
  return doors.flatMap((door) => {
    const next = configured.find(({ name }) => name === door.name)
    return next === undefined ? [] : [next.prepare(door)]
  })
}

/** The doors that answer on the HTTP port, by their names. */
function mountsOf(doors: readonly Door[]): ReadonlyMap<string, MountedDoor> {
  return new Map(doors.flatMap(({ name, mounted }) => (mounted === null ? [] : [[name, mounted]])))
}

const LOOPBACK = ['127.0.0.1', '::1']

/** How long peers may take to read their last bytes at a stop, in ms: the process must be gone within 3 s. */
const STOP_MS = 1_500

/** How long publications that are under way may take to be stored at a stop, in ms. */
const DRAIN_MS = 500

function addressList(texts: PlacedTexts): AddressList {
  return ofTexts(texts, (list) => new AddressList(list))
}

type PlacedTexts = readonly { readonly text: string; readonly where: string }[]

/** What `make` makes of them all. @throws {OptionError} naming the place of the one that it does not take. */
function ofTexts<T>(texts: PlacedTexts, make: (texts: readonly string[]) => T): T {
  for (const { text, where } of texts) {
    try {
      make([text])
    } catch (error) {
      throw new OptionError(`${where}: ${(error as Error).message}`, { cause: error })
    }
  }
  return make(texts.map(({ text }) => text))
}

/** `key`: of the port, below `server`. @throws {StartError} */
async function listen(
  server: Server,
  scheme: string,
  host: string,
  port: number,
  ...key: readonly string[]
): Promise<string> {
  try {
    server.listen({ host, port, backlog: LISTEN_BACKLOG, ipv6Only: true })
    await once(server, 'listening')
  } catch (error) {
    const [hostPath, portPath] = [
      ['server', 'bind'],
      ['server', ...key],
    ]
    throw StartError.listening(error, { host, hostPath, port, portPath })
  }
  const { address, port: actual } = server.address() as AddressInfo
  return `${scheme}://${address.includes(':') ? `[${address}]` : address}:${actual}`
}

/** Connections the kernel holds for us while we are busy: thousands may come back at once after a restart. */
const LISTEN_BACKLOG = 4_096

async function stop({
  servers,
  hub,
  doors,
  stores,
}: {
  readonly servers: readonly Server[]
  readonly hub: Hub
  /** With connections of their own. */
  readonly doors: readonly Door[]
  /** What all others need until they are gone. */
  readonly stores: readonly (AsyncDisposable | null)[]
}): Promise<void> {
  // First the ports, so that whoever comes back is refused rather than cut off again.
  const closed = servers.map((server) => {
    server.close()
    return once(server, 'close')
  })
  // What was accepted reaches the streams before they end, unless the disk is slow.
  const drained = new Promise((resolve) => setTimeout(resolve, DRAIN_MS).unref())
  await Promise.race([hub.drain(), drained])
  hub[Symbol.dispose]()
  const left = Promise.all(doors.map(async (door) => door[Symbol.asyncDispose]()))
  const deadline = new Promise((resolve) => setTimeout(resolve, STOP_MS).unref())
  await Promise.race([Promise.all(closed), deadline])
  for (const server of servers) server.closeAllConnections()
  await left
  for (const store of stores) await store?.[Symbol.asyncDispose]()
}
