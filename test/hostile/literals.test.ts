import fc from 'fast-check'
import { hostileGroup, type HostileCase } from './hostile-group.ts'
import { requestText, sendBytes } from './http-input.ts'

/** Ever new expressions whose types and names would pile up, every other one refused. */
const evernew: HostileCase<number> = {
  name: 'ever new literals and names in ?where=',
  inputs: fc.nat(),
  runs: 8,
  async send(server, seed) {
    for (let n = 0; n < 20; n++) {
      const where = `${literalOf(seed + n)} == ${n % 2 === 0 ? 'a' : `f${seed}_${n}()`}`
      await sendBytes(server, requestText('GET', `/a?where=${encodeURIComponent(where)}`))
    }
  },
}

function literalOf(number: number): string {
  let literal = '1'
  let random = number + 1
  for (let level = 0; level < 50; level++) {
    random = (random * 48_271) % 2_147_483_647
    literal = random % 2 === 0 ? `[${literal}]` : `{"k": ${literal}}`
  }
  return literal
}

hostileGroup('literals', {}, [evernew])
