import { nearestName } from '../settings/nearest-name.ts'
import { UsageError } from './arguments.ts'
import { EXPORT_OPTIONS, IMPORT_OPTIONS } from './log-options.ts'
import { runCommand, type Command } from './run-command.ts'

const HELP = `pubsubd log: look after the store of events.

Usage: pubsubd log COMMAND [--config FILE | --store DIR] [options]

  info               how many events, of which time, how large, and who has the store open
  verify             reads every record and tells what is damaged
  export             writes the events to standard output, one on each line, as on the stream
    --private          private events too, marked so that import knows them
    --since TIME       only events published at TIME or later
    --until TIME       only events published before TIME
  import [FILE]      appends exported events, from FILE or standard input, with their times;
                     no server may have the store open
    --pypubsub         FILE is the storage file of a PyPubSub
  backup DIR         copies the store, which a server may have open, to the new directory DIR

  --config FILE      settings that name the store (default: pubsub.yaml)
  --store DIR        the store itself: server.backlog.storage and ".pubsubd"

TIME is 2026-05-17, 2026-05-17T12:30:00Z (without the Z: local time), seconds since 1970, or how long ago: 45s, 30m,
12h, 7d. All but import can be used while the server runs.

Exit code: 0 done, 1 failed, damaged, or lines left out, 2 wrong usage.

Examples:
  pubsubd log info
  pubsubd log export --since 1d --private > yesterday.ndjson
  pubsubd log import --store /var/lib/pubsubd/new.pubsubd yesterday.ndjson
  pubsubd log backup /backup/events-1 && pubsubd log verify --store /backup/events-1
`

interface LogCommand {
  /** Beside those that all have. */
  readonly options: Command['options']
  readonly load: () => Promise<Command['run']>
}

export const LOG_COMMANDS: ReadonlyMap<string, LogCommand> = new Map<string, LogCommand>([
  ['info', { options: {}, load: async () => (await import('./log-info.ts')).logInfo }],
  ['verify', { options: {}, load: async () => (await import('./log-verify.ts')).logVerify }],
  [
    'export',
    { options: EXPORT_OPTIONS, load: async () => (await import('./log-export.ts')).logExport },
  ],
  [
    'import',
    { options: IMPORT_OPTIONS, load: async () => (await import('./log-import.ts')).logImport },
  ],
  ['backup', { options: {}, load: async () => (await import('./log-backup.ts')).logBackup }],
])

/** Runs `pubsubd log …`, given the words behind `log`. */
export async function main([name, ...words]: readonly string[]): Promise<void> {
  const command = LOG_COMMANDS.get(name ?? '')
  if (command !== undefined)
    return runCommand(`log ${name}`, words, {
      help: HELP,
      run: async (behind) => (await command.load())(behind),
    })
  const nearest = nearestName(name ?? '', [...LOG_COMMANDS.keys()])
  const advice = nearest === null ? '' : `, did you mean ${nearest}?`
  const problem =
    name === undefined ? 'which command?' : `there is no command ${JSON.stringify(name)}${advice}`
  await runCommand('log', name === undefined ? words : [name, ...words], {
    help: HELP,
    run: () => Promise.reject(new UsageError(problem)),
  })
}
