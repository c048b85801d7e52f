import { parseArgs } from 'node:util'
import { crashRun } from './crash-run.ts'
import { tableOf } from './table.ts'

const HELP = `Breaks a server again and again while publishers and readers use it, then judges what they saw.

Usage: npm run test:crash -- [--kills 200] [--seed NUMBER] [--minutes 30] [--storage disk|os|memory]

  --kills N     how often it is killed with SIGKILL
  --seed N      repeats the plan of another run: what is done and when, not how threads interleave
  --minutes N   nothing is begun after that
  --storage S   durability of the store; memory has none, so that losses must be found
`

/** Faults that are printed in full. */
const FAULTS_SHOWN = 30

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    minutes: { type: 'string', default: '30' },
    storage: { type: 'string', default: 'disk' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) process.stdout.write(HELP)
else await main()

async function main(): Promise<void> {
  const kills = Number(values.kills)
  const seed = Number(values.seed)
  const isTty = process.stderr.isTTY
  process.stderr.write(`seed ${seed}\n`)
  const result = await crashRun({
    kills,
    seed,
    storage: values.storage === 'memory' ? null : (values.storage as 'disk' | 'os'),
    durationMsMax: Number(values.minutes) * 60_000,
    onProgress: (progress) => {
      if (isTty)
        process.stderr.write(`\r${progress.kills} of ${kills} kills, ${progress.events} events `)
    },
  })
  if (isTty) process.stderr.write('\n')
  process.stdout.write(`${tableOf(result, { seed, storage: values.storage })}\n`)
  for (const { rule, text } of result.faults.slice(0, FAULTS_SHOWN))
    process.stdout.write(`${rule}: ${text}\n`)
  if (result.faults.length > FAULTS_SHOWN)
    process.stdout.write(`… and ${result.faults.length - FAULTS_SHOWN} more\n`)
  if (result.kills < kills) process.stdout.write('The time was over before all kills were done.\n')
  process.exitCode = result.faults.length + result.gapsTold > 0 ? 1 : 0
}
