import type { ParseArgsOptionsConfig } from 'node:util'
import { readArguments, UsageError } from './arguments.ts'
import { EXIT } from './exit-code.ts'
import { STORE_OPTIONS } from './log-options.ts'
import type { Command } from './run-command.ts'

const HELP = `pubsubd completion: prints what makes a shell complete commands, options, files and choices of pubsubd.

Usage: pubsubd completion bash|zsh

Examples:
  pubsubd completion bash > /etc/bash_completion.d/pubsubd
  source <(pubsubd completion bash)
  source <(pubsubd completion zsh)   # behind compinit
`

/** Each command, by its name, that is completed beside the server and those of `log`. */
type Commands = ReadonlyMap<string, () => Promise<Command>>

export function completionCommand(commands: Commands): Command {
  return { help: HELP, options: {}, run: (words) => completion(words, commands) }
}

async function completion(words: readonly string[], commands: Commands): Promise<number> {
  const { names } = readArguments(words, {}, 1)
  const [shell] = names
  if (shell !== 'bash' && shell !== 'zsh')
    throw new UsageError(shell === undefined ? 'for which shell?' : `there is none for ${shell}`)
  // zsh runs completions that were written for bash.
  const before = shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : ''
  process.stdout.write(`${before}${await bashFunction(commands)}`)
  return EXIT.done
}

/** Beside those that are handed over. */
const OTHER_COMMANDS = ['log', 'serve', 'help', 'version']

/** What may stand behind the words so far. */
interface Completed {
  readonly options: ParseArgsOptionsConfig
  /** Words that may come first. */
  readonly words: readonly string[]
}

async function bashFunction(commands: Commands): Promise<string> {
  const { SERVE_OPTIONS } = await import('./serve-options.ts')
  const { LOG_COMMANDS } = await import('./log-command.ts')
  const completed = new Map<string, Completed>()
  completed.set('', { options: SERVE_OPTIONS, words: [...commands.keys(), ...OTHER_COMMANDS] })
  completed.set('serve', { options: SERVE_OPTIONS, words: [] })
  completed.set('help', { options: {}, words: [...commands.keys(), ...OTHER_COMMANDS] })
  for (const [name, load] of commands)
    completed.set(name, { ...(await load()), words: FIRST_WORDS.get(name) ?? [] })
  completed.set('log', { options: {}, words: [...LOG_COMMANDS.keys()] })
  for (const [name, { options }] of LOG_COMMANDS)
    completed.set(`log ${name}`, { options: { ...options, ...STORE_OPTIONS }, words: [] })
  const cases = Array.from(
    completed,
    ([name, { options, words }]) =>
      `    '${name}') options='${spellings(options).join(' ')}' words='${words.join(' ')}' ;;`,
  )
  const valued = [...completed.values()].flatMap(({ options }) => spellings(options, 'string'))
  const choices = Array.from(
    CHOICES,
    ([option, values]) => `    ${option}) _pubsubd_words '${values}'; return ;;`,
  )
  const others = [...new Set(valued)].filter((each) => !FILES.has(each) && !CHOICES.has(each))
  return `# Completion of pubsubd, written by "pubsubd completion".
_pubsubd_words() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "\${1// /$IFS}" -- "$cur"))
}
_pubsubd_files() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen -f -- "$cur"))
}
_pubsubd() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command= options= words= first=1
  COMPREPLY=()
  # bash takes --format=json apart at the sign.
  if [[ $cur == = ]]; then cur=
  elif [[ $prev == = ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  if ((COMP_CWORD > 1)); then
    first=2 command=\${COMP_WORDS[1]}
    if [[ $command == -* ]]; then command=; fi
    if [[ $command == log ]] && ((COMP_CWORD > 2)); then first=3 command="log \${COMP_WORDS[2]}"; fi
  fi
  case $prev in
${choices.join('\n')}
    ${[...FILES].join('|')}) _pubsubd_files; return ;;
    ${others.join('|')}) return ;;
  esac
  case $command in
${cases.join('\n')}
    *) return ;;
  esac
  if [[ $cur == -* ]]; then _pubsubd_words "$options"
  elif [[ -n $words ]] && ((COMP_CWORD == first)); then _pubsubd_words "$words"
  else _pubsubd_files; fi
}
complete -F _pubsubd pubsubd
`
}

/** As they are written; `type`: only those. */
function spellings(options: ParseArgsOptionsConfig, type?: 'string'): string[] {
  return Object.entries({ ...options, ...HELP_OPTION })
    .filter(([, option]) => type === undefined || option.type === type)
    .flatMap(([name, { short }]) => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])])
}

const HELP_OPTION: ParseArgsOptionsConfig = { help: { type: 'boolean', short: 'h' } }

const FIRST_WORDS: ReadonlyMap<string, readonly string[]> = new Map([
  ['explain', ['publish', 'listen']],
  ['completion', ['bash', 'zsh']],
])

const CHOICES: ReadonlyMap<string, string> = new Map([
  ['--format', 'json payload pretty'],
  ['--on-gap', 'oldest live fail'],
])

const FILES: ReadonlySet<string> = new Set([
  '--config',
  '--acl',
  '--checkpoint',
  '--set-aside',
  '--store',
])
