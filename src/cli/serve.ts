import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { loadAclFile } from '../config/acl-file.ts'
import { changedSettings } from '../config/changed-settings.ts'
import { placesIn } from '../config/find-place.ts'
import { warningsOfVariables } from '../config/given-settings.ts'
import { loadSettings, type SettingsSource } from '../config/load.ts'
import type { Settings } from '../config/schema.ts'
import { endOnFatalErrors } from '../ops/fatal-errors.ts'
import { ProcessLog, type LogSettings } from '../ops/log-output.ts'
import { logger, logTo, printable } from '../ops/logger.ts'
import { openFilesMax } from '../ops/open-files.ts'
import { loadServiceManager, type TellServiceManager } from '../ops/service-manager.ts'
import { StartError } from '../ops/start-error.ts'
import { VERSION } from '../ops/version.ts'
import { startServer, type RunningServer } from '../server.ts'
import { ConfigError } from '../settings/config-error.ts'
import { readArguments } from './arguments.ts'
import { endInTime } from './end-in-time.ts'
import { loadExit } from './exit-at-once.ts'
import { EXIT } from './exit-code.ts'
import { filesOf, type ConfigurationFiles } from './file-options.ts'
import { removePidFile, writePidFile } from './pid-file.ts'
import { SERVE_OPTIONS } from './serve-options.ts'
import type { ServerSignals } from './server-signals.ts'

/** Runs the server until a signal ends it. */
export async function main(words: readonly string[], signals: ServerSignals): Promise<void> {
  const files = filesNamed(words)
  const log = new ProcessLog()
  log.set(logSettingsOf(files))
  logTo(log.write)
  endOnFatalErrors(log.format)
  try {
    await serve(files, signals, log)
  } catch (error) {
    const { problems, warnings } = told(error as Error, files.settings)
    for (const warning of warnings) logger('warn', warning)
    for (const problem of problems) logger('error', problem)
    await log.written(LOG_MS)
    process.exit(EXIT.failed)
  }
}

function filesNamed(words: readonly string[]): ConfigurationFiles {
  try {
    return filesOf(readArguments(words, SERVE_OPTIONS, 0).values)
  } catch (error) {
    process.stderr.write(`pubsubd: ${printable((error as Error).message)}\nTry pubsubd --help.\n`)
    return process.exit(EXIT.usage)
  }
}

/** Until the file is read: what is said there counts from then on. */
function logSettingsOf({ settings: { given } }: ConfigurationFiles): LogSettings {
  const isJson = given.some(({ node }) => node.type === 'scalar' && node.text === 'json')
  const isText = given.some(({ node }) => node.type === 'scalar' && node.text === 'text')
  return { format: isJson ? 'json' : isText ? 'text' : 'auto', level: 'info' }
}

async function serve(
  files: ConfigurationFiles,
  signals: ServerSignals,
  log: ProcessLog,
): Promise<void> {
  const { settings, warnings } = loadSettings(files.settings)
  log.set(settings.log)
  const acl = loadAclFile(files.acl)
  for (const warning of [...warningsOfVariables(), ...warnings, ...acl.warnings])
    logger('warn', warning)
  const tellServiceManager = await loadServiceManager()
  const server = await startServer(settings, acl.users)
  const { pidFile } = settings.server
  try {
    if (pidFile !== null) writePidFile(pidFile)
  } catch (error) {
    await server.stop()
    throw error
  }

  const exit = await loadExit()
  tellOf(settings, files, acl.missing)
  for (const url of server.urls) logger('info', `listening on ${url}`)
  tellServiceManager('ready')
  const running = new RunningProcess({ server, settings, files, log, tellServiceManager, exit })
  signals.handle(running)
}

/** What it is, and what it works with, wherever it was started. */
function tellOf(
  { server: { backlog } }: Settings,
  files: ConfigurationFiles,
  hasNoUsers: boolean,
): void {
  const users = hasNoUsers ? 'no users of a file' : `users of ${resolve(files.acl)}`
  const { storage, eventsMax } = backlog
  const kept =
    eventsMax === 0
      ? 'no events are kept'
      : storage === null
        ? 'events are kept in memory'
        : `events are kept in ${resolve(`${storage}.pubsubd`)}`
  logger(
    'info',
    `pubsubd ${VERSION}, pid ${process.pid}, at most ${openFilesMax() ?? 'unknown'} open files`,
  )
  const { file } = files.settings
  const settings = existsSync(file) ? `settings of ${resolve(file)}` : 'settings of no file'
  logger('info', `${settings}, ${users}; ${kept}`)
}

interface Running {
  readonly server: RunningServer
  readonly settings: Settings
  readonly files: ConfigurationFiles
  readonly log: ProcessLog
  readonly tellServiceManager: TellServiceManager
  readonly exit: (code: number) => void
}

/** A server that has started, and what signals do to it. */
class RunningProcess {
  readonly #running: Running
  /** As they were read last. */
  #settings: Settings
  #isStopping = false

  constructor(running: Running) {
    this.#running = running
    this.#settings = running.settings
  }

  readonly reload = (): void => {
    if (this.#isStopping) return
    const { tellServiceManager } = this.#running
    tellServiceManager('reloading')
    this.#reloadUsers()
    this.#reloadSettings()
    tellServiceManager('ready')
  }

  readonly stop = (signal: NodeJS.Signals): void => {
    if (this.#isStopping) return
    this.#isStopping = true
    const { server, log, tellServiceManager, exit } = this.#running
    tellServiceManager('stopping')
    logger('info', `${signal}: stopping`)
    const { pidFile } = this.#running.settings.server
    void endInTime({
      async stop() {
        await server.stop()
        if (pidFile !== null) removePidFile(pidFile)
      },
      deadlineMs: STOP_MS,
      logger,
      exit: (code) => void log.written(LOG_MS).then(() => exit(code)),
      kill: () => void log.written(LOG_MS).then(() => process.kill(process.pid, 'SIGKILL')),
    })
  }

  #reloadUsers(): void {
    const { files, server } = this.#running
    try {
      const { users, warnings, missing } = loadAclFile(files.acl)
      // As PyPubSub; a file that is being replaced is not there for a moment, and its users must not pay for it.
      if (missing) throw new Error(`${files.acl} does not exist`)
      server.replaceUsers(users)
      for (const warning of warnings) logger('warn', warning)
      logger('info', `read ${files.acl} again: ${users.length} users`)
    } catch (error) {
      logger('error', `${(error as Error).message}. The rights stay as they were`)
    }
  }

  #reloadSettings(): void {
    const { files, server, log, settings: ofStart } = this.#running
    try {
      const { settings, warnings } = loadSettings(files.settings)
      server.replaceSettings(settings)
      log.set(settings.log)
      const { now } = changedSettings(this.#settings, settings)
      const { later } = changedSettings(ofStart, settings)
      this.#settings = settings
      for (const warning of warnings) logger('warn', warning)
      if (now.length > 0)
        logger('info', `read ${files.settings.file} again: ${now.join(', ')} changed`)
      if (later.length > 0)
        logger(
          'warn',
          `${files.settings.file}: what has changed of ${later.join(', ')} counts from the next start on`,
        )
    } catch (error) {
      for (const problem of told(error as Error, files.settings).problems)
        logger('error', `${problem}. The settings stay as they were`)
    }
  }
}

/** What is wrong, with the place of the setting that it is about. */
function told(
  error: Error,
  source: SettingsSource,
): { readonly problems: readonly string[]; readonly warnings: readonly string[] } {
  if (error instanceof ConfigError) return error
  const place = error instanceof StartError ? `${placesIn(source)(error.path)}: ` : ''
  return { problems: [`${place}${error.message}`], warnings: [] }
}

/** So that the process is gone within 3 s. */
const STOP_MS = 2_800

/** How long the end waits for whoever reads the log. */
const LOG_MS = 100
