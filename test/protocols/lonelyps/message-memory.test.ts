import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MessageMemory } from '../../../src/protocols/lonelyps/message-memory.ts'

test('who has stood still for the longest gives up, of the address with the most', () => {
  const memory = new MessageMemory(100)
  const gone: string[] = []
  const open = (name: string, share: string) => memory.open(share, () => void gone.push(name))
  const [honest, first, second, third] = [
    open('honest', 'a'),
    open('first', 'b'),
    open('second', 'b'),
    open('third', 'b'),
  ]
  honest.hold(30)
  first.hold(20)
  second.hold(20)
  third.hold(20)
  first.hold(30) // moves on
  assert.deepEqual(gone, [])
  third.hold(21)
  assert.deepEqual(gone, ['second'])
  honest.hold(50)
  assert.deepEqual(gone, ['second', 'first'])
  assert.equal(memory.bytes, 71)
})

test('what is more than all of it gives up itself', () => {
  const memory = new MessageMemory(100)
  let isGone = false
  const held = memory.open('a', () => (isGone = true))
  held.hold(101)
  assert.deepEqual([isGone, memory.bytes], [true, 0])
})

test('whatever is held and let go, the limit holds, and nothing is left in the end', () => {
  const step = fc.record({ holder: fc.nat(7), bytes: fc.nat(60), isOver: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const memory = new MessageMemory(100)
      const bytes = new Map<number, number>()
      const holders = Array.from({ length: 8 }, (_, i) =>
        memory.open(`share ${i % 3}`, () => void bytes.delete(i)),
      )
      for (const { holder, bytes: count, isOver } of steps) {
        bytes.set(holder, isOver ? 0 : count)
        if (isOver) holders[holder]![Symbol.dispose]()
        else holders[holder]!.hold(count)
        const sum = [...bytes.values()].reduce((all, each) => all + each, 0)
        assert.equal(memory.bytes, sum)
        assert.ok(memory.bytes <= 100)
      }
      for (const held of holders) held[Symbol.dispose]()
      assert.equal(memory.bytes, 0)
    }),
  )
})
