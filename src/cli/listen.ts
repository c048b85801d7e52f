import { accessSync, constants } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { readArguments, UsageError } from './arguments.ts'
import { authorizationFor } from './authorization.ts'
import { Checkpoint } from './checkpoint.ts'
import { parseCount } from './count.ts'
import { parseDuration } from './duration.ts'
import { formatNamed, type ListenedEvent } from './event-format.ts'
import { follow } from './follow.ts'
import { parseHeaderWord } from './header-word.ts'
import type { Command } from './run-command.ts'
import { parseServerUrl } from './server-url.ts'
import { SetAsideFile } from './set-aside-file.ts'
import { terminalLine } from './terminal-line.ts'

const HELP = `pubsubd listen: follows topics, over any number of connections, without losing an event.

Usage: pubsubd listen URL [options]

Prints each event on a line, or runs a command for it.

      --since TIME       begin with what was published since: 10m (that long ago), 2026-11-20T10:00:00Z, seconds since
                         1970, or all (default: from now on)
      --cursor CURSOR    begin behind that event
      --checkpoint FILE  where to keep the place behind which everything is done; begin there if FILE has one
      --until TIME       end before the first event of that time
      --count N          end after N events
      --timeout TIME     end after that time
      --where EXPRESSION only events of which it is true, such as 'priority > 2'
      --without TOPICS   no events that have one of these topics, with commas between
      --format FORMAT    json: the line as it came (default, but on a terminal); payload: what was published; pretty:
                         for people; line: one line for people, coloured unless NO_COLOR is set (default on a terminal)
      --on-gap WHAT      when events are lost that should have come: oldest, go on with the oldest kept one (default);
                         live, go on with what is to come; fail, end with exit code 6. It is told in any case
  -u, --user NAME[:PASSWORD]  else of the URL, PUBSUBD_USER and PUBSUBD_PASSWORD, or ~/.netrc (NETRC names another file)
      --retry-for TIME   how long to try while there is no server (default: for ever)

  -x, --exec COMMAND     run COMMAND in a shell for each event, which is its standard input. PUBSUB_PATH, PUBSUB_URL_PATH
                         (the same as a URL has it), PUBSUB_TOPICS (with slashes between), PUBSUB_CURSOR and
                         PUBSUB_TIMESTAMP are in its environment
  -j, --jobs N           run N commands at once; events with the same topics keep their order (default: 1)
      --tries N          how often a failing command is run for one event (default: 5)
      --set-aside FILE   where an event goes whose command failed that often (default: the checkpoint and ".failed";
                         without a checkpoint: nowhere, and the listener ends)

An event is done when its command has succeeded, or it is set aside; without --exec, when it is written. Only then the
checkpoint moves, so a crash may bring events again and loses none. The first SIGINT, SIGTERM or SIGHUP lets running
commands finish, the second ends them.

Exit code: 0 the end was reached, 2 wrong usage, 3 the server refused, 4 no server for as long as --retry-for, 5 fewer
events than --count within --timeout, 6 events were lost (--on-gap fail), 7 commands failed, 129, 130, 143 interrupted,
1 anything else.

Examples:
  pubsubd listen http://localhost:2069/fruits
  pubsubd listen http://localhost:2069/builds/18 --count 1 --timeout 10m
  pubsubd listen http://localhost:2069/commits --checkpoint commits.cursor --exec ./deploy
  pubsubd listen http://localhost:2069/ --since 1h --until 0m --where 'priority > 2' --format payload
`

const OPTIONS = {
  since: { type: 'string' },
  cursor: { type: 'string' },
  checkpoint: { type: 'string' },
  until: { type: 'string' },
  count: { type: 'string' },
  timeout: { type: 'string' },
  where: { type: 'string' },
  without: { type: 'string' },
  format: { type: 'string' },
  'on-gap': { type: 'string' },
  user: { type: 'string', short: 'u' },
  'retry-for': { type: 'string' },
  exec: { type: 'string', short: 'x' },
  jobs: { type: 'string', short: 'j' },
  tries: { type: 'string' },
  'set-aside': { type: 'string' },
} as const

export const listenCommand: Command = {
  help: HELP,
  options: OPTIONS,
  run,
}

async function run(words: readonly string[]): Promise<number> {
  const { values, names } = readArguments(words, OPTIONS, 1)
  const url = parseServerUrl(names[0])
  // A URL that was made for a browser or curl may say the same.
  for (const [name, option] of QUERY_OPTIONS) {
    const asked = url.searchParams.get(name)
    if (asked !== null) values[option] ??= asked
    url.searchParams.delete(name)
  }
  const onGap = values['on-gap'] ?? 'oldest'
  if (!ON_GAP.includes(onGap))
    throw new UsageError(`--on-gap is ${ON_GAP.join(', ')}, not ${JSON.stringify(onGap)}`)
  const { jobs, tries, 'set-aside': setAside, exec, checkpoint: file, until } = values
  if (exec === undefined)
    for (const [name, value] of Object.entries({ jobs, tries, 'set-aside': setAside }))
      if (value !== undefined)
        throw new UsageError(`--${name} is about commands, and there is no --exec`)
  const { where, without } = values
  const asked = Object.entries({ where, without, until, on_gap: onGap }).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  )
  for (const [name, value] of asked) url.searchParams.set(name, value)
  const checkpoint = file === undefined ? null : checkpointIn(file)
  const cursor = values.cursor === undefined ? null : parseHeaderWord('--cursor', values.cursor)
  const duration = (name: 'timeout' | 'retry-for') =>
    values[name] === undefined ? Infinity : parseDuration(`--${name}`, values[name])
  return follow({
    stream: {
      url,
      authorization: await authorizationFor(url, values.user),
      cursor: checkpoint?.cursor ?? cursor,
      since: values.since ?? null,
      asks: asked.map(([name]) => name).filter((name) => name !== 'on_gap'),
      isRange: until !== undefined,
      retryForMs: duration('retry-for'),
    },
    checkpoint,
    countMax: values.count === undefined ? Infinity : parseCount('--count', values.count),
    timeoutMs: duration('timeout'),
    failsOnGap: onGap === 'fail',
    ...formatOf(values.format ?? (exec === undefined && process.stdout.isTTY ? 'line' : 'json')),
    command:
      exec === undefined
        ? null
        : {
            command: exec,
            tries: parseCount('--tries', tries ?? '5'),
            setAside: setAsideFile(setAside, file),
            jobsMax: parseCount('--jobs', jobs ?? '1'),
          },
  })
}

/** @throws {UsageError} */
function formatOf(name: string) {
  if (name !== 'line') return { format: formatNamed(name), isForTerminal: false }
  // Everything else that is coloured on a terminal goes by these (no-color.org).
  const isColoured =
    process.stdout.isTTY && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb'
  return { format: (event: ListenedEvent) => terminalLine(event, isColoured), isForTerminal: true }
}

/** @throws {UsageError} it could not be written once there is something to keep: better now than behind the first event. */
function checkpointIn(file: string): Checkpoint {
  try {
    accessSync(`${dirname(file)}/.`, constants.W_OK)
  } catch (error) {
    throw new UsageError(`--checkpoint cannot be written: ${(error as Error).message}`)
  }
  return new Checkpoint(file)
}

/** @throws {UsageError} it is a file of the checkpoint. {Error} it is not ours alone. */
function setAsideFile(
  name: string | undefined,
  checkpoint: string | undefined,
): SetAsideFile | null {
  if (checkpoint === undefined) return name === undefined ? null : new SetAsideFile(name)
  const own = ['', '.lock', '.tmp'].map((suffix) => resolve(`${checkpoint}${suffix}`))
  if (name !== undefined && own.includes(resolve(name)))
    throw new UsageError(
      `--set-aside ${name} is a file of --checkpoint ${checkpoint}: name another`,
    )
  return new SetAsideFile(name ?? `${checkpoint}.failed`)
}

const QUERY_OPTIONS = [
  ['since', 'since'],
  ['cursor', 'cursor'],
  ['until', 'until'],
  ['count', 'count'],
  ['timeout', 'timeout'],
  ['where', 'where'],
  ['without', 'without'],
  ['on_gap', 'on-gap'],
] as const

const ON_GAP: readonly string[] = ['oldest', 'live', 'fail']
