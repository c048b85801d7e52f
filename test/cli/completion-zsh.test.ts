import { test } from 'node:test'
import { missing } from '../programs.ts'
import { completesOnTerminal } from './completion-on-terminal.ts'

test('zsh on a terminal completes what the tab key asks for', { skip: missing('zsh') }, () =>
  completesOnTerminal('zsh', '-f -i', 'autoload -Uz compinit && compinit -u -D && source ./zsh'),
)
