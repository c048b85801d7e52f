import { closeSync, constants, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { loadAclFile } from '../config/acl-file.ts'
import { ConfigError } from '../settings/config-error.ts'
import { loadSettings } from '../config/load.ts'
import { endOnFatalErrors } from '../ops/fatal-errors.ts'
import { logger, printable } from '../ops/logger.ts'
import { openFilesMax } from '../ops/open-files.ts'
import { startServer, VERSION, type RunningServer } from '../server.ts'
import { readArguments } from './arguments.ts'
import { endInTime } from './end-in-time.ts'
import { loadExit } from './exit-at-once.ts'
import { EXIT } from './exit-code.ts'
import { FILE_OPTIONS } from './file-options.ts'
import { checkPlace } from '../ops/own-place.ts'
import { runCommand } from './run-command.ts'

const HELP = `pubsubd ${VERSION}: publish and stream JSON events over HTTP.

Usage: pubsubd [--config FILE] [--acl FILE]           runs the server
       pubsubd publish URL [FILE|-]                   publishes JSON objects
       pubsubd listen URL                             follows topics, prints events or runs a command for each
       pubsubd check                                  tells what is wrong with the configuration files
       pubsubd explain [publish|listen] PATH          tells which rule decides who may
       pubsubd log info|verify|export|import|backup   looks after the stored events: pubsubd log --help
       pubsubd completion bash|zsh                    completes all of this in a shell
       pubsubd COMMAND --help                         tells more

  --config FILE   settings (default: pubsub.yaml)
  --acl FILE      users and what they may see (default: pubsub_acl.yaml)
  --help          this text
  --version       the version

Signals: SIGTERM and SIGINT stop the server; SIGHUP and SIGUSR2 read the ACL file again.
`

export const SERVE_OPTIONS = {
  ...FILE_OPTIONS,
  help: { type: 'boolean', short: 'h', default: false },
  version: { type: 'boolean', default: false },
} as const

/** Runs the server until a signal ends it. */
export async function main(words: readonly string[]): Promise<void> {
  const options = optionsOf(words)
  if (options.help) return runCommand('--help', ['--help'], { help: HELP, run: printVersion })
  if (options.version) return runCommand('--version', [], { help: HELP, run: printVersion })
  endOnFatalErrors()
  try {
    await serve(options.config, options.acl)
  } catch (error) {
    const { problems, warnings } =
      error instanceof ConfigError ? error : { problems: [(error as Error).message], warnings: [] }
    for (const warning of warnings) logger('warn', warning)
    for (const problem of problems) logger('error', problem)
    process.exitCode = 1
  }
}

async function printVersion(): Promise<number> {
  process.stdout.write(`pubsubd ${VERSION}\n`)
  return EXIT.done
}

function optionsOf(words: readonly string[]) {
  try {
    return readArguments(words, SERVE_OPTIONS, 0).values
  } catch (error) {
    process.stderr.write(`${printable((error as Error).message)}\nTry pubsubd --help.\n`)
    return process.exit(EXIT.usage)
  }
}

async function serve(configFile: string, aclFile: string): Promise<void> {
  const { settings, warnings } = loadSettings(configFile)
  const acl = loadAclFile(aclFile)
  for (const warning of [...warnings, ...acl.warnings]) logger('warn', warning)
  const server = await startServer(settings, acl.users)
  const { pidFile } = settings.server
  try {
    if (pidFile !== null) writePidFile(pidFile)
  } catch (error) {
    await server.stop()
    throw error
  }

  const exit = await loadExit()
  onSignals(server, { aclFile, pidFile, exit }) // before anything says that there is somebody to signal
  logger(
    'info',
    `pubsubd ${VERSION}, pid ${process.pid}, at most ${openFilesMax() ?? 'unknown'} open files`,
  )
  for (const url of server.urls) logger('info', `listening on ${url}`)
}

/** @throws {Error} it cannot be written, or somebody else decides where that would be. */
function writePidFile(file: string): void {
  try {
    checkPlace(file)
    const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants
    const descriptor = openSync(file, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600)
    try {
      writeSync(descriptor, `${process.pid}\n`)
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    throw new Error(`server.pid_file cannot be written: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** Unless another server has written its own there meanwhile. */
function removePidFile(file: string): void {
  try {
    if (readFileSync(file, 'latin1').trim() === String(process.pid)) rmSync(file, { force: true })
  } catch {
    // It has gone already.
  }
}

function onSignals(
  server: RunningServer,
  {
    aclFile,
    pidFile,
    exit,
  }: { aclFile: string; pidFile: string | null; exit: (code: number) => void },
): void {
  const reload = () => {
    try {
      const { users, warnings, missing } = loadAclFile(aclFile)
      // As PyPubSub; a file that is being replaced is not there for a moment, and its users must not pay for it.
      if (missing) throw new Error(`${aclFile} does not exist`)
      server.replaceUsers(users)
      for (const warning of warnings) logger('warn', warning)
      logger('info', `read ${aclFile} again: ${users.length} users`)
    } catch (error) {
      logger('error', `${(error as Error).message}. The rights stay as they were`)
    }
  }
  let isStopping = false
  const stop = (signal: NodeJS.Signals) => {
    if (isStopping) return
    isStopping = true
    logger('info', `${signal}: stopping`)
    void endInTime({
      async stop() {
        await server.stop()
        if (pidFile !== null) removePidFile(pidFile)
      },
      deadlineMs: STOP_MS,
      logger,
      exit,
      kill: () => process.kill(process.pid, 'SIGKILL'),
    })
  }
  process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGUSR2', reload)
  // On a terminal SIGHUP says that the terminal is gone.
  process.on('SIGHUP', process.stdin.isTTY ? stop : reload)
}

/** So that the process is gone within 3 s. */
const STOP_MS = 2_900
