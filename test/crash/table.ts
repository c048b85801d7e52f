import { VERSION } from '../../src/ops/version.ts'
import type { Outcome } from './checker.ts'
import type { CrashRunResult } from './crash-run.ts'

/** What a run did and what came of it, as a table of `docs/reliability.md`. */
export function tableOf(
  result: CrashRunResult,
  { seed, storage }: { seed: number; storage: string },
): string {
  const { history, breakages, faults, startsMs } = result
  const outcomes = history.publishers.flatMap(({ publications }) =>
    publications.map(({ outcome }) => outcome.type),
  )
  const count = (type: Outcome['type']) => outcomes.filter((each) => each === type).length
  const streams = history.readers.flatMap((reader) => reader.streams)
  const lines = streams.reduce((total, stream) => total + stream.lines.length, 0)
  const starts = startsMs.toSorted((a, b) => a - b)
  const rules = Map.groupBy(faults, ({ rule }) => rule)
  const rows = [
    ['version, storage, Node', `${VERSION}, ${storage}, ${process.version}`],
    ['seed', String(seed)],
    ['duration', `${Math.round(result.durationMs / 1000)} s`],
    ['SIGKILL', number(result.kills)],
    ...Object.entries(breakages).map(([name, times]) => [`… ${name}`, number(times)]),
    [
      'start to listening, ms',
      `median ${starts[starts.length >> 1]!.toFixed(0)}, longest ${starts.at(-1)!.toFixed(0)}`,
    ],
    ['events sent', number(outcomes.length)],
    ['… with a 202', number(count('accepted'))],
    ['… cut off without an answer', number(count('unknown'))],
    ['… refused, or no connection', number(count('refused'))],
    ['events in the log at the end', number(history.log.length)],
    ['streams read, events on them', `${number(streams.length)}, ${number(lines)}`],
    ['streams ended while the server went on', number(result.cutOffs)],
    ['gaps told (all is kept: none is due)', number(result.gapsTold)],
    ['**faults**', `**${number(faults.length)}**`],
    ...[...rules].map(([rule, each]) => [`… ${rule}`, number(each.length)]),
  ]
  return ['| | |', '| --- | ---: |', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join(
    '\n',
  )
}

function number(value: number): string {
  return value.toLocaleString('en')
}
