/*
 * What this thread does, as the places say that do work: so that the watchdog can name what has taken too long. A leaf that
 * any room may import. It costs a look at the clock for each request and each round, and nothing for each subscriber.
 */

export interface NamedWork {
  /** `request GET /fruits` */
  readonly name: string
  readonly ms: number
}

let what = ''
let subject: string | number = ''
let sinceMs = 0
let longestWhat = ''
let longestSubject: string | number = ''
let longestMs = 0

/**
 * From now on, until another begins or the turn of the event loop ends, it is this. `what`: of a fixed set, as "request";
 * `subject`: whatever it is about.
 */
export function beginWork(begunWhat: string, begunSubject: string | number = ''): void {
  endWork(performance.now())
  what = begunWhat
  subject = begunSubject
}

function endWork(nowMs: number): void {
  if (what !== '' && nowMs - sinceMs > longestMs) {
    longestMs = nowMs - sinceMs
    longestWhat = what
    longestSubject = subject
  }
  sinceMs = nowMs
}

/** What has taken longest in this turn. `null`: nothing has a name. */
export function longestWork(nowMs: number): NamedWork | null {
  if (what === '') return null // most turns only read or write
  endWork(nowMs)
  const name = longestSubject === '' ? longestWhat : `${longestWhat} ${longestSubject}`
  return { name, ms: longestMs }
}

/** At the end of a turn: the next one begins with nothing. */
export function forgetWork(): void {
  what = longestWhat = ''
  subject = longestSubject = '' // it may be long
  longestMs = 0
}
