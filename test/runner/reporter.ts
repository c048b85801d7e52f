import { writeSync } from 'node:fs'
import { inspect } from 'node:util'
import type { TestEvent } from 'node:test/reporters'

/** What a file with tests tells the runner, one JSON text on each line of descriptor 3. */
export type TestReport =
  | { readonly type: 'began' | 'ended'; readonly id: number; readonly name: string }
  | { readonly type: 'passed' }
  | { readonly type: 'skipped'; readonly reason: string }
  | { readonly type: 'failed'; readonly name: string; readonly error: string }

/** Where the runner listens: standard output stays the tests' own. */
const RUNNER = 3

/** Errors of a test that only say that one of its subtests failed, which has been told already. */
const OF_SUBTESTS = 'subtestsFailed'

/** A reporter for Node's test runner: `node --test-reporter=./test/runner/reporter.ts FILE`, with descriptor 3 open. */
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<never> {
  const names: string[] = []
  for await (const event of source) {
    if (event.type === 'test:start') names.splice(event.data.nesting, Infinity, event.data.name)
    const outcome = reportOf(event, names)
    if (outcome !== null) writeSync(RUNNER, `${JSON.stringify(outcome)}\n`)
  }
  yield* []
}

/** `names` are those of the test and of what it is in, outermost first. */
function reportOf(event: TestEvent, names: readonly string[]): TestReport | null {
  switch (event.type) {
    case 'test:dequeue':
      return { type: 'began', id: event.data.testId, name: event.data.name }
    case 'test:complete':
      return { type: 'ended', id: event.data.testId, name: event.data.name }
    case 'test:pass': {
      const { skip, details } = event.data
      if (skip !== undefined) return { type: 'skipped', reason: String(skip) }
      return details.type === 'suite' ? null : { type: 'passed' }
    }
    case 'test:fail': {
      const { todo, details } = event.data
      const { error } = details
      if (todo !== undefined) return { type: 'skipped', reason: `to be done: ${String(todo)}` }
      if ('failureType' in error && error.failureType === OF_SUBTESTS) return null
      const name = names.slice(0, event.data.nesting + 1).join(' > ')
      return { type: 'failed', name, error: inspect(error.cause ?? error) }
    }
    default:
      return null
  }
}
