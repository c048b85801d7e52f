import { VERSION } from '../ops/version.ts'
import { nearestName } from '../settings/nearest-name.ts'
import { readArguments, UsageError } from './arguments.ts'
import { COMMANDS } from './commands.ts'
import { EXIT } from './exit-code.ts'
import { runCommand } from './run-command.ts'
import { FILE_OPTIONS_HELP } from './file-options.ts'
import { SERVE_OPTIONS } from './serve-options.ts'

const HELP = `pubsubd ${VERSION}: publish and stream JSON events over HTTP.

Usage: pubsubd [serve] [--config FILE] [--acl FILE]   runs the server
       pubsubd publish URL [FILE|-]                   publishes JSON objects
       pubsubd listen URL                             follows topics, prints events or runs a command for each
       pubsubd config                                 prints the settings, and where each is given
       pubsubd check                                  tells what is wrong with the configuration files
       pubsubd explain [publish|listen] PATH          tells which rule decides who may
       pubsubd log info|verify|export|import|backup   looks after the stored events: pubsubd log --help
       pubsubd completion bash|zsh                    completes all of this in a shell
       pubsubd help [COMMAND], COMMAND --help         tells more
       pubsubd version                                the version

${FILE_OPTIONS_HELP}
  --help          this text
  --version       the version

Signals: SIGTERM and SIGINT stop the server; SIGHUP and SIGUSR2 read both files again, as far as that can be done while it runs.

Examples:
  pubsubd
  pubsubd --port 2069 --publishers 127.0.0.1,10.0.0.0/8 --store data/events
  PUBSUBD_PORT=8080 PUBSUBD_PUBLISHERS=10.0.0.0/8 pubsubd
`

/** Help and version, and what is no command at all. */
export async function about(words: readonly string[]): Promise<void> {
  const [first = ''] = words
  if (first === 'version')
    return runCommand(first, words.slice(1), { help: HELP, run: tellVersion })
  if (first !== '' && !first.startsWith('-'))
    return runCommand('', [], { help: HELP, run: () => Promise.reject(unknownCommand(first)) })
  await runCommand('', words, { help: HELP, run: tellVersion })
}

async function tellVersion(words: readonly string[]): Promise<number> {
  readArguments(words, SERVE_OPTIONS, 0)
  process.stdout.write(`pubsubd ${VERSION}\n`)
  return EXIT.done
}

function unknownCommand(word: string): UsageError {
  const names = [...COMMANDS.keys(), 'log', 'serve', 'help', 'version']
  const nearest = nearestName(word, names)
  const advice = nearest === null ? '' : `, did you mean ${nearest}?`
  return new UsageError(`there is no command ${JSON.stringify(word)}${advice}`)
}
