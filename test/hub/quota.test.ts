import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Quota } from '../../src/hub/quota.ts'

const NAMES = { things: 'things', max: 'limits.things', perShareMax: 'limits.things_per_address' }

/** A thousand things of all, of which each share takes what it may, one by one. */
class Takers {
  readonly quota: Quota
  taken = 0

  constructor(perShareMax: number) {
    this.quota = new Quota({ max: 1_000, perShareMax, names: NAMES })
  }

  /** How many it got until it was refused, for its share or as none is left. */
  takeAll(share: string): number {
    for (let count = 0; ; count++) {
      const free = 1_000 - this.taken
      if (free === 0 || !this.admits(share, 1, 1)) return count
      this.quota.charge(share, 1)
      this.taken++
    }
  }

  admits(share: string, added: number, created: number): boolean {
    try {
      this.quota.admit(share, { added, created, free: 1_000 - this.taken })
      return true
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'SHARE_EXCEEDED')
      return false
    }
  }
}

test('without a number of its own a share may have as many as are left for all others', () => {
  const takers = new Takers(0)
  assert.deepEqual(
    ['a', 'b', 'c', 'a'].map((share) => takers.takeAll(share)),
    [500, 250, 125, 0],
  )
  takers.quota.charge('b', -250)
  takers.taken -= 250
  assert.equal(takers.takeAll('d'), 188, 'what is given up is there for others')
})

test('with a number a share may have so many, and no more however many are left', () => {
  const takers = new Takers(3)
  assert.deepEqual(
    ['a', 'b', 'a'].map((share) => takers.takeAll(share)),
    [3, 3, 0],
  )
  assert.equal(takers.admits('c', 4, 4), false)
  assert.equal(takers.admits('c', 3, 3), true)
})

test('what is there already is refused to whoever has more than others could have, but not a few of it', () => {
  const takers = new Takers(0)
  for (const share of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) takers.takeAll(share)
  assert.ok(1_000 - takers.taken < 15)
  assert.equal(takers.admits('g', 1, 0), true, 'it has 8')
  assert.equal(takers.admits('d', 1, 0), false, 'it has 63')
  assert.equal(takers.admits('d', 0, 0), true, 'it has that one already')
  assert.equal(takers.admits('new', 100, 0), true, 'it has nothing')
})

/** What one is told that has four, and asks for two more. */
function message(perShareMax: number): string | null {
  const quota = new Quota({ max: 10, perShareMax, names: NAMES })
  quota.charge('a', 4)
  try {
    quota.admit('a', { added: 2, created: 2, free: 5 })
  } catch (error) {
    return (error as Error).message
  }
  return null
}

test('whoever is refused is told what it has, which limits those are, and what they are', () => {
  assert.equal(
    message(5),
    'you have 4 things; 2 more would exceed limits.things_per_address, which is 5 for one user or address',
  )
  assert.equal(
    message(0),
    'you have 4 things; 2 more would exceed limits.things_per_address, which is what is left of limits.things for all others: 5 now',
  )
})

test('what is of nobody who is known is not limited', () => {
  const quota = new Quota({ max: 1, perShareMax: 1, names: NAMES })
  quota.charge(undefined, 5)
  quota.admit(undefined, { added: 5, created: 5, free: 0 })
})
