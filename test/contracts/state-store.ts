import assert from 'node:assert/strict'
import { test } from 'node:test'
import { retried, type LoseNextOutcome } from './event-log.ts'
import type { StateStore } from '../../src/hub/state-store.ts'

export interface StateStoreUnderTest extends AsyncDisposable {
  readonly store: StateStore
  /** Moves the clock the store looks at, in ms. */
  passTime(ms: number): void
  /** By that clock. */
  nowMs(): number
  readonly loseNextOutcome: LoseNextOutcome
}

/** What every engine promises. `open` makes an empty store. */
export function stateStoreContract(name: string, open: () => Promise<StateStoreUnderTest>): void {
  test(`${name}: a key keeps its value, byte for byte, in its space only`, async () => {
    await using opened = await open()
    const value = Uint8Array.from({ length: 256 }, (_, i) => i)
    await opened.store.apply([{ space: 'a', key: 'k', value }])
    assert.deepEqual(bytes(await opened.store.get('a', 'k')), [...value])
    assert.equal(await opened.store.get('b', 'k'), null)
    assert.equal(await opened.store.get('a', 'K'), null)
  })

  test(`${name}: an empty value is not the absence of one`, async () => {
    await using opened = await open()
    await opened.store.apply([{ space: 'a', key: 'k', value: new Uint8Array() }])
    assert.deepEqual(bytes(await opened.store.get('a', 'k')), [])
  })

  test(`${name}: changes are made in the order given, all of them`, async () => {
    await using opened = await open()
    await opened.store.apply([
      { space: 'a', key: 'k', value: text('1') },
      { space: 'a', key: 'gone', value: text('1') },
      { space: 'a', key: 'k', value: text('2') },
      { space: 'a', key: 'gone', value: null },
      { space: 'a', key: 'never there', value: null },
    ])
    assert.deepEqual(await list(opened.store, 'a'), [['k', '2']])
  })

  test(`${name}: what is handed in may be changed afterwards`, async () => {
    await using opened = await open()
    const value = text('1')
    await opened.store.apply([{ space: 'a', key: 'k', value }])
    value.fill(0)
    assert.deepEqual(await list(opened.store, 'a'), [['k', '1']])
  })

  test(`${name}: the entries of a space come by the bytes of their keys, however many`, async () => {
    await using opened = await open()
    const keys = ['', 'B', 'a', 'a\0b', 'ab', 'é', '\u{ffee}', '\u{1f600}']
    for (let n = 0; n < 1_000; n++) keys.push(`key ${n}`)
    const shuffled = keys.toSorted((a, b) => a.length - b.length)
    await opened.store.apply(shuffled.map((key) => ({ space: 'a', key, value: text(key) })))
    await opened.store.apply([{ space: 'b', key: 'elsewhere', value: text('') }])
    const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    assert.deepEqual(
      await list(opened.store, 'a'),
      sorted.map((key) => [key, key]),
    )
  })

  test(`${name}: an entry is there until it expires, and again when it is renewed`, async () => {
    await using opened = await open()
    const until = (ms: number) => ({
      space: 'a',
      key: 'k',
      value: text('1'),
      expiresAtMs: opened.nowMs() + ms,
    })
    await opened.store.apply([until(1_000)])
    opened.passTime(999)
    assert.deepEqual(await list(opened.store, 'a'), [['k', '1']])
    opened.passTime(1)
    assert.equal(await opened.store.get('a', 'k'), null)
    assert.deepEqual(await list(opened.store, 'a'), [])
    await opened.store.apply([until(1_000)])
    assert.deepEqual(await list(opened.store, 'a'), [['k', '1']])
  })

  for (const isStored of [true, false])
    test(`${name}: changes that were ${isStored ? '' : 'not '}made without an answer are told as unknown, and can be repeated`, async (t) => {
      await using opened = await open()
      const { store, loseNextOutcome } = opened
      if (typeof loseNextOutcome === 'string') return t.skip(loseNextOutcome)
      await store.apply([{ space: 'a', key: 'gone', value: text('1') }])
      const apply = () =>
        store.apply([
          { space: 'a', key: 'k', value: text('1') },
          { space: 'a', key: 'gone', value: null },
        ])
      loseNextOutcome(isStored)
      await assert.rejects(apply(), { code: 'OUTCOME_UNKNOWN' })
      await retried(apply)
      assert.deepEqual(await list(store, 'a'), [['k', '1']])
    })
}

function text(value: string): Uint8Array {
  return Buffer.from(value)
}

function bytes(value: Uint8Array | null): number[] | null {
  return value && [...value]
}

async function list(store: StateStore, space: string): Promise<[string, string][]> {
  const entries = await Array.fromAsync(store.entries(space))
  return entries.map(({ key, value }) => [key, Buffer.from(value).toString()])
}
