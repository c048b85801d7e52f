import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Input } from '../../../src/protocols/jetblack/input.ts'

test('whatever it is cut into, and whenever some is taken, the bytes come out as they went in', () => {
  const step = fc.oneof(
    fc.record({ push: fc.uint8Array({ minLength: 1, maxLength: 3_000 }) }),
    fc.record({ take: fc.nat(4_000) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const input = new Input()
      const pushed: Buffer[] = []
      const taken: Buffer[] = []
      for (const each of steps)
        if ('push' in each) {
          // Somebody else's buffer, with bytes behind that are not ours.
          const whole = Buffer.concat([each.push, Buffer.alloc(100, 0xee)])
          input.push(whole.subarray(0, each.push.length))
          pushed.push(Buffer.from(each.push))
          assert.deepEqual(whole.subarray(each.push.length), Buffer.alloc(100, 0xee))
        } else {
          const count = Math.min(each.take, input.length)
          if (count > 0) assert.equal(input.byteAt(0), input.byteAt(0))
          taken.push(input.take(count))
        }
      taken.push(input.take(input.length))
      assert.deepEqual(Buffer.concat(taken), Buffer.concat(pushed))
    }),
  )
})

test('a megabyte in single bytes is not copied again with each of them', () => {
  const input = new Input()
  const before = process.cpuUsage()
  for (let n = 0; n < 1_000_000; n++) input.push(Buffer.of(n % 256))
  assert.equal(input.take(input.length).length, 1_000_000)
  const { user, system } = process.cpuUsage(before)
  assert.ok((user + system) / 1_000 < 5_000)
})
