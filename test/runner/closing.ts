import { relative } from 'node:path'
import { clock } from './progress.ts'
import type { FileResult } from './run-file.ts'

/** So many of the slowest files are told. */
const SLOW_SHOWN = 10

/**
 * What is told at the end: slow files, what was skipped and why, failures in full, and on a line alone how many of each.
 * `tellsResults`: what files that passed have printed is told, too.
 */
export function closingOf(
  results: readonly FileResult[],
  durationMs: number,
  tellsResults = false,
): string {
  const good = tellsResults ? results.filter(({ failures }) => failures.length === 0) : []
  const failed = results.filter(({ failures }) => failures.length > 0)
  const count = (of: (result: FileResult) => number) =>
    results.reduce((sum, result) => sum + of(result), 0)
  return [
    ...section('Slowest files:', slowest(results)),
    ...section('Skipped:', skips(results)),
    ...good.map(({ file, printed }) => `${relative('.', file)}\n${indented(printed.trim())}\n`),
    ...failed.map(failuresOf),
    `${results.length} files in ${clock(durationMs)}`,
    `${count(({ passed }) => passed)} passed, ${count(({ failures }) => failures.length)} failed, ` +
      `${count(({ skipped }) => skipped.length)} skipped`,
    '',
  ].join('\n')
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`), '']
}

function slowest(results: readonly FileResult[]): string[] {
  return results
    .toSorted((a, b) => b.durationMs - a.durationMs)
    .slice(0, SLOW_SHOWN)
    .map(({ file, durationMs }) => `${seconds(durationMs)}  ${relative('.', file)}`)
}

function skips(results: readonly FileResult[]): string[] {
  const files = new Map<string, Set<string>>()
  for (const { file, skipped } of results)
    for (const reason of skipped)
      files.set(reason, (files.get(reason) ?? new Set()).add(relative('.', file)))
  return [...files].map(([reason, where]) => `${reason} (${[...where].join(', ')})`)
}

function failuresOf({ file, failures, printed }: FileResult): string {
  const path = relative('.', file)
  return [
    ...failures.map(({ name, error }) => `FAILED ${path}: ${name}\n${indented(error)}`),
    ...(printed.trim() === '' ? [] : [`It printed:\n${indented(printed.trim())}`]),
    `Alone: npm test -- ${path}`,
    '',
  ].join('\n')
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '  ')
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1).padStart(6)} s`
}
