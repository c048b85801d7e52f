import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isCalendarDay } from '../../../src/http/publish/calendar-day.ts'

test('every day that a calendar has is one', () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date('0000-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
      (date) => assert.ok(isCalendarDay(date.toISOString().slice(0, 10))),
    ),
  )
})

test('a day that no calendar has is none, though Date takes it for another one', () => {
  for (const day of [
    '2026-02-31',
    '2026-02-29',
    '2026-04-31',
    '2026-13-01',
    '2026-00-01',
    '2026-01-00',
    '',
    '2026-1-1',
  ])
    assert.ok(!isCalendarDay(day), day)
  assert.ok(isCalendarDay('2024-02-29'))
})
