import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HostileGroup, type HostileCase } from './hostile-group.ts'
import { requestText, sendBytes } from './http-input.ts'
import { oddText } from './odd-text.ts'

/** A server with faults, which a header asks for. */
const options = { imports: [new URL('planted-faults.ts', import.meta.url)] }

function planted<Input>(inputs: fc.Arbitrary<Input>): HostileCase<Input> {
  return {
    name: 'X-Planted',
    inputs,
    async send(server, input) {
      await sendBytes(server, requestText('HEAD', '/', [`X-Planted: ${String(input)}`]))
    },
  }
}

test('an input that is slow is found, shortened and named', async () => {
  const slow = planted(oddText(['1', '2', 'a', 'x'], 20_000))
  await using group = await HostileGroup.start(options, [])
  await assert.rejects(group.play({ ...slow, runs: 400 }), (error: Error) => {
    const [, cpuMs] = /^X-Planted: one turn took ([\d.]+) ms of CPU/.exec(error.message) ?? []
    assert.ok(Number(cpuMs) >= 100, error.message) // 100.04 is told as 100.0
    // Thousands of ones and an x behind them, in a line of print.
    assert.match(error.message, /\n {2}input: \[\["1+",\d{4,5}\][^\n]{0,60}"x"\]\n {2}seed \d+/)
    return true
  })
})

test('what an input leaves in the heap is found: 100 times 40 KB', async () => {
  const leaking = planted(fc.constant('leak'))
  await using group = await HostileGroup.start(options, [leaking])
  await group.nothingIsLeft() // the first few are within what compiled code takes
  await group.play({ ...leaking, runs: 250 })
  await assert.rejects(group.nothingIsLeft(1_000), /[4-9]\.\d MiB of heap, more than the 4\.0 MiB/)
})

test('what an input leaves open is found', async () => {
  const holding = planted(fc.constant('hold'))
  await using group = await HostileGroup.start(options, [])
  await group.play({ ...holding, runs: 3 })
  await assert.rejects(group.nothingIsLeft(1_000), /3 more of FSReqPromise|3 file descriptors/)
})

test('an input that ends the server is named, with what the server said at last', async () => {
  const ending = planted(fc.constant('end'))
  await using group = await HostileGroup.start(options, [])
  await assert.rejects(group.play(ending), (error: Error) => {
    assert.match(error.message, /^X-Planted: the server is gone:[^]*planted end[^]*input: "end"/)
    return true
  })
})

test('with the plain server nothing of this is found', async () => {
  const plain = planted(fc.constantFrom('leak', 'hold', 'end', '1'.repeat(60_000) + 'x'))
  await using group = await HostileGroup.start({}, [])
  await group.play({ ...plain, runs: 100 })
  await group.nothingIsLeft()
})
