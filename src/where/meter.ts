/**
 * Counts the work of a predicate that somebody else has written. A step is about 50 ns; no operation takes more than three
 * times its price (`test/where/prices.test.ts`).
 */
export class Meter {
  /** Below 0: more was asked for than was allowed, and whatever comes out of it does not count. */
  stepsLeft = 0

  /** `false`: there are not so many left, and the work must not be done. */
  spend(steps: number): boolean {
    this.stepsLeft -= steps
    return this.stepsLeft >= 0
  }
}
