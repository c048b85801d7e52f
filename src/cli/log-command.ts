import { nearestName } from '../settings/nearest-name.ts'
import { UsageError } from './arguments.ts'
import { logBackup } from './log-backup.ts'
import { EXPORT_OPTIONS, logExport } from './log-export.ts'
import { IMPORT_OPTIONS, logImport } from './log-import.ts'
import { logInfo } from './log-info.ts'
import { logVerify } from './log-verify.ts'
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

/** Beside the options that all have. */
export const LOG_COMMANDS: ReadonlyMap<string, Pick<Command, 'run' | 'options'>> = new Map([
  ['info', { run: logInfo, options: {} }],
  ['verify', { run: logVerify, options: {} }],
  ['export', { run: logExport, options: EXPORT_OPTIONS }],
  ['import', { run: logImport, options: IMPORT_OPTIONS }],
  ['backup', { run: logBackup, options: {} }],
])

/** Runs `pubsubd log …`, given the words behind `log`. */
export async function main([name, ...words]: readonly string[]): Promise<void> {
  const run = LOG_COMMANDS.get(name ?? '')?.run
  if (run !== undefined) return runCommand(`log ${name}`, words, { help: HELP, run })
  const nearest = nearestName(name ?? '', [...LOG_COMMANDS.keys()])
  const advice = nearest === null ? '' : `, did you mean ${nearest}?`
  const problem =
    name === undefined ? 'which command?' : `there is no command ${JSON.stringify(name)}${advice}`
  await runCommand('log', name === undefined ? words : [name, ...words], {
    help: HELP,
    run: () => Promise.reject(new UsageError(problem)),
  })
}
