import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseExact } from '../../src/where/exact-json.ts'

test('it is what JSON.parse makes of it, but integers that a double cannot hold are exact', () => {
  const leaf = fc.oneof(
    fc.constantFrom('1234567890123456789', '-9007199254740993', '9007199254740992', '10', '0'),
    fc.constantFrom('1e400', '-0', '1.5', '12345678901234567.5', '1e20', 'true', 'null'),
    fc.string({ maxLength: 20 }).map((text) => JSON.stringify(text)),
    fc.constantFrom('":12345678901234567890"', '"\\\\"', '"\\"[1234567890123456789"', '"\\u0022"'),
  )
  const name = fc.constantFrom('a', '__proto__', '1', 'constructor', '"')
  const within = (inner: fc.Arbitrary<string>) =>
    fc.oneof(
      fc.array(inner, { maxLength: 4 }).map((items) => `[${items.join(' , ')}]`),
      fc
        .array(fc.tuple(name, inner), { maxLength: 4 })
        .map((members) => `{${members.map(([k, v]) => `${JSON.stringify(k)}: ${v}`).join()}}`),
    )
  const value = fc.oneof(leaf, within(leaf), within(within(leaf)))
  fc.assert(
    fc.property(value, (member) => {
      const text = `{"x": ${member}}`
      const expected = JSON.parse(text, ofSource as never)
      assert.deepEqual(parseExact(text), expected)
    }),
    { numRuns: 100 },
  )
})

/** The same by a reviver, which is shown what is written. */
function ofSource(this: unknown, _key: string, item: unknown, { source }: { source: string }) {
  if (typeof item !== 'number' || Number.isSafeInteger(item)) return item
  return /^-?\d+$/.test(source) ? BigInt(source) : item
}

test('objects within each other may be as deep as a payload may be, and more', () => {
  for (const depth of [5_000, 200_000]) {
    const text = `{"n":1234567890123456789,"a":${'[{"b":'.repeat(depth)}12345678901234567890${'}]'.repeat(depth)}}`
    let value = parseExact(text) as { n: bigint; a: unknown }
    assert.equal(value.n, 1234567890123456789n)
    let inner = value.a as { b: unknown }[] | bigint
    while (typeof inner === 'object') inner = inner[0]!.b as typeof inner
    assert.equal(inner, 12345678901234567890n)
  }
})

test('a string of quotes and backslashes is read in one go', () => {
  const string = JSON.stringify('\\"'.repeat(300_000))
  const before = process.threadCpuUsage()
  parseExact(`{"a":[${string}],"n":[1234567890123456789]}`)
  const { user, system } = process.threadCpuUsage(before)
  assert.ok(user + system < 500_000, `${(user + system) / 1_000} ms`)
})

test('an integer of more digits than anything has is a double, and takes no time to read', () => {
  const [kept, long] = ['9'.repeat(100), '9'.repeat(101)]
  assert.deepEqual(parseExact(`[${kept},${long}]`), [BigInt(kept), Number(long)])
})
