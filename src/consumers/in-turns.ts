import { inLaterTurn, isTurnSpent } from '../ops/turn-budget.ts'

/** Does work that can be interrupted at each of its steps, in as many turns of the event loop as it takes. */
export async function inTurns<R>(work: Generator<void, R>): Promise<R> {
  for (;;) {
    if (isTurnSpent()) await new Promise<void>((resolve) => inLaterTurn(resolve))
    const step = work.next()
    if (step.done === true) return step.value
  }
}
