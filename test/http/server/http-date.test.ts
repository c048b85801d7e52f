import assert from 'node:assert/strict'
import { test } from 'node:test'
import { httpDate } from '../../../src/http/server/http-date.ts'

test('the date of a head is that of its second', (context) => {
  context.mock.timers.enable({ apis: ['Date'], now: Date.UTC(1994, 10, 6, 8, 49, 36, 999) })
  assert.equal(httpDate(), 'Sun, 06 Nov 1994 08:49:36 GMT')
  context.mock.timers.setTime(Date.UTC(1994, 10, 6, 8, 49, 37, 0))
  assert.equal(httpDate(), 'Sun, 06 Nov 1994 08:49:37 GMT')
  assert.equal(httpDate(), 'Sun, 06 Nov 1994 08:49:37 GMT')
  context.mock.timers.setTime(0)
  assert.equal(httpDate(), 'Thu, 01 Jan 1970 00:00:00 GMT', 'a clock that is set back')
})
