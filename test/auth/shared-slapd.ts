import { after, before, test } from 'node:test'
import { DEADLINE_MS } from '../deadline.ts'
import { missing } from '../programs.ts'
import { type Slapd, startSlapd } from './slapd.ts'

type SlapdTest = (name: string, run: (slapd: Slapd) => Promise<void>) => void

/** One directory for all tests that are made by what comes back, and that leave it as it was. */
export function sharedSlapd(): SlapdTest {
  let shared: Slapd
  before(async () => {
    if (missing('slapd') === false) shared = await startSlapd()
  })
  after(() => shared?.[Symbol.asyncDispose]())
  return (name, run) => {
    test(name, { skip: missing('slapd'), timeout: DEADLINE_MS }, () => run(shared))
  }
}

/** A test with a directory of its own, to do with as it likes. */
export function ownSlapdTest(name: string, run: (slapd: Slapd) => Promise<void>): void {
  test(name, { skip: missing('slapd'), timeout: DEADLINE_MS }, async () => {
    await using slapd = await startSlapd()
    await run(slapd)
  })
}
