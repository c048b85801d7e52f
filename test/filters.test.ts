import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Position, PublishedEvent } from '../src/hub/event.ts'
import { WhereExpressions } from '../src/where/where.ts'

const PAGE = readFileSync(new URL('../docs/filters.md', import.meta.url), 'utf8')
const LIMITS = { whereLengthMax: 1_024, whereStepsMax: 10_000 }

test('every expression of docs/filters.md is true of its event', () => {
  const where = new WhereExpressions(LIMITS)
  const expressions = firstCells('What an expression sees')
  assert.ok(expressions.length >= 15)
  for (const expression of expressions)
    assert.ok(where.parse(expression).matches(shownEvent()), expression)
  assert.equal(where.failures, 0)
})

test('the expressions that docs/filters.md calls wrong are refused as it says', () => {
  const where = new WhereExpressions(LIMITS)
  const refused = rows('When it is refused')
  assert.ok(refused.length >= 4)
  for (const [expression, message] of refused)
    assert.throws(() => where.parse(expression!), { message: message! })
})

test('what docs/filters.md says of missing members is so', () => {
  const spans = [...section('When it cannot be evaluated').matchAll(/`([^`]+)`/g)]
  const answers = spans
    .map(([, code]) => code!)
    .filter((code) => code.includes('='))
    .map((expression) => new WhereExpressions(LIMITS).parse(expression).matches(shownEvent()))
  assert.deepEqual(answers, [true, false, true])
})

/** The event that the page shows as a stream shows it. */
function shownEvent(): PublishedEvent {
  const [, line] = /```json\n(.+)\n```/.exec(PAGE)!
  const { pubsub_timestamp, pubsub_topics, pubsub_path, pubsub_cursor, ...payload } = JSON.parse(
    line!,
  )
  return {
    topics: pubsub_topics,
    isPrivate: false,
    path: pubsub_path,
    payload: { type: 'json-object', text: JSON.stringify(payload) },
    position: 1 as Position,
    cursor: pubsub_cursor,
    publishedAtMs: pubsub_timestamp * 1_000,
  }
}

function firstCells(title: string): string[] {
  return rows(title).map(([cell]) => cell!)
}

/** The code of each row's cells, without the heading. */
function rows(title: string): string[][] {
  return [...section(title).matchAll(/^\| `.*$/gm)].map(([row]) =>
    [...row.matchAll(/`([^`]+)`/g)].map(([, code]) => code!.replaceAll(String.raw`\|`, '|')),
  )
}

function section(title: string): string {
  const [, text] = PAGE.split(`\n## ${title}\n`)
  assert.ok(text !== undefined, title)
  return text.split('\n## ')[0]!
}
