/** Whether there is such a day; written as `2026-11-27`. `Date` takes 31 February for 3 March. */
export function isCalendarDay(day: string): boolean {
  const date = new Date(`${day}T00:00:00Z`)
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(day)
}
