import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  check,
  type History,
  type LoggedEvent,
  type Outcome,
  type PublicationRecord,
  type ReaderRecord,
  type Rule,
  type StreamLine,
  type StreamRecord,
} from './checker.ts'

/** Two publishers, two readers that each came back once; changed by every test in one place. */
function cleanHistory() {
  const log = [1, 11, 2, 3, 12, 4, 13].map((number) => logged(number))
  return {
    publishers: [
      { name: 'P', publications: [1, 2, 3, 4, 5].map((number) => accepted(number)) },
      { name: 'Q', publications: [11, 12, 13].map((number) => accepted(number)) },
    ].map(({ name, publications }) => ({
      name,
      // 5 was under way at the end and has not come to the log.
      publications: publications.map((each) => (each.number === 5 ? unknown(5) : each)),
    })),
    readers: [
      {
        name: 'everything',
        wants: [[]],
        streams: [
          stream('start', [1, 11, 2]),
          stream({ after: 2 }, [3]),
          stream({ after: 3 }, [12, 4, 13], true),
        ],
      },
      {
        name: 'odd ones',
        wants: [['odd']],
        streams: [stream('start', [1, 11]), stream({ after: 11 }, [3, 13], true)],
      },
    ],
    log,
  } satisfies History
}

const topicsOf = (number: number) => ['all', number % 2 === 0 ? 'even' : 'odd']
const cursorOf = (number: number) => `cursor of ${number}`
const logged = (number: number): LoggedEvent => ({
  number,
  cursor: cursorOf(number),
  topics: topicsOf(number),
})
const sent = (number: number, outcome: Outcome): PublicationRecord => ({
  number,
  topics: topicsOf(number),
  outcome,
})
const accepted = (number: number) => sent(number, { type: 'accepted', cursor: cursorOf(number) })
const unknown = (number: number) => sent(number, { type: 'unknown' })
const shown = (number: number): StreamLine => ({ type: 'event', number, cursor: cursorOf(number) })
const stream = (
  from: StreamRecord['from'],
  numbers: readonly number[],
  isComplete = false,
): StreamDraft => ({ from, lines: numbers.map((number) => shown(number)), isComplete })

interface StreamDraft extends StreamRecord {
  readonly lines: StreamLine[]
}
interface ReaderDraft extends ReaderRecord {
  readonly streams: StreamDraft[]
}
type Draft = ReturnType<typeof cleanHistory>

function rulesBrokenBy(change: (history: Draft) => void): Rule[] {
  const history = cleanHistory()
  change(history)
  return [...new Set(check(history).map(({ rule }) => rule))]
}

test('a history in which every promise was kept passes', () => {
  assert.deepEqual(check(cleanHistory()), [])
})

test('an event with a 202 that is not in the log is lost', () => {
  const broken = rulesBrokenBy(({ publishers }) => {
    publishers[0]!.publications.push(accepted(6))
  })
  assert.deepEqual(broken, ['lost'])
})

test('a 202 with a cursor that the log gave to another event is found', () => {
  const broken = rulesBrokenBy(({ publishers }) => {
    publishers[0]!.publications[1] = sent(2, { type: 'accepted', cursor: cursorOf(3) })
  })
  assert.deepEqual(broken, ['wrong cursor'])
})

test('an event that is in the log twice is found, answered or not', () => {
  assert.deepEqual(
    rulesBrokenBy(({ log }) => void log.push(logged(4))),
    ['duplicated'],
  )
  const unanswered = rulesBrokenBy(({ log, readers }) => {
    log.push(logged(5), { ...logged(5), cursor: 'another cursor' })
    for (const { streams } of readers) streams.at(-1)!.lines.push(shown(5))
  })
  assert.deepEqual(unanswered, ['duplicated'])
})

test('two events of one publisher in another order than they were sent are found', () => {
  const broken = rulesBrokenBy(({ publishers }) => {
    publishers[0]!.publications.splice(1, 2, accepted(3), accepted(2))
  })
  assert.deepEqual(broken, ['reordered'])
})

test('an event without an answer may come to the log late, but not before what was accepted when it was sent', () => {
  const late = rulesBrokenBy(({ publishers }) => {
    publishers[0]!.publications.splice(1, 2, unknown(3), accepted(2))
  })
  assert.deepEqual(late, [])
  const early = rulesBrokenBy(({ publishers }) => {
    publishers[0]!.publications.splice(1, 2, accepted(3), unknown(2))
  })
  assert.deepEqual(early, ['reordered'])
})

test('an event that nobody sent, was refused or was changed is found in the log', () => {
  const nobodys = rulesBrokenBy(({ publishers }) => void publishers[1]!.publications.pop())
  assert.deepEqual(nobodys, ['made up'])
  const refused = rulesBrokenBy(({ publishers }) => {
    publishers[1]!.publications[2] = sent(13, { type: 'refused' })
  })
  assert.deepEqual(refused, ['made up'])
  const changed = rulesBrokenBy(({ log }) => {
    log[0] = { ...log[0]!, topics: [...log[0]!.topics, 'another'] }
  })
  assert.deepEqual(changed, ['made up'])
})

test('an event that a reader saw and that is gone has vanished, also when the reader saw nothing behind it', () => {
  const seen = rulesBrokenBy(({ readers }) => {
    readers[0]!.streams[1]!.lines.push(shown(5))
  })
  assert.deepEqual(seen, ['vanished'])
  const resumed = rulesBrokenBy(({ readers }) => {
    readers[0]!.streams[2] = stream({ after: 5 }, [12, 4, 13], true)
  })
  assert.deepEqual(resumed, ['vanished'])
})

test('an event that is left out is missed: within a stream, at its beginning, at its end', () => {
  const within = rulesBrokenBy(({ readers }) => void readers[0]!.streams[0]!.lines.splice(1, 1))
  assert.deepEqual(within, ['missed'])
  const atBeginning = rulesBrokenBy(({ readers }) => {
    readers[1]!.streams[1]!.lines.shift()
  })
  assert.deepEqual(atBeginning, ['missed'])
  const atStart = rulesBrokenBy(({ readers }) => void readers[1]!.streams[0]!.lines.shift())
  assert.deepEqual(atStart, ['missed'])
  const atEnd = rulesBrokenBy(({ readers }) => void readers[1]!.streams[1]!.lines.pop())
  assert.deepEqual(atEnd, ['missed'])
})

test('a gap that was told excuses what is missing there, and nothing else', () => {
  const told = rulesBrokenBy(({ readers }) => {
    readers[0]!.streams[0]!.lines.splice(1, 1, { type: 'gap' })
    readers[1]!.streams[1]!.lines.splice(1, 1, { type: 'gap' })
  })
  assert.deepEqual(told, [])
  const elsewhere = rulesBrokenBy(({ readers }) => {
    readers[0]!.streams[0]!.lines.splice(1, 1)
    readers[0]!.streams[0]!.lines.unshift({ type: 'gap' })
  })
  assert.deepEqual(elsewhere, ['missed'])
})

test('an event that comes twice is found: in one stream, or after the reader came back', () => {
  const inOne = rulesBrokenBy(({ readers }) => {
    readers[0]!.streams[2]!.lines.splice(2, 0, shown(12))
  })
  assert.deepEqual(inOne, ['seen twice'])
  const afterReturn = rulesBrokenBy(({ readers }) => {
    readers[0]!.streams[1]!.lines.unshift(shown(2))
  })
  assert.deepEqual(afterReturn, ['seen twice'])
})

test('a reader that saw another order than the log, and so than other readers, is found', () => {
  const broken = rulesBrokenBy(({ readers }) => {
    readers[0]!.streams[2]!.lines.splice(0, 2, shown(4), shown(12))
  })
  assert.ok(broken.includes('seen out of order'))
})

test('an event of other topics than the reader asked for is found', () => {
  const broken = rulesBrokenBy(({ readers }) => {
    readers[1]!.streams[0]!.lines.splice(1, 0, shown(2))
  })
  assert.ok(broken.includes('not wanted'))
})

test('a reader that names another cursor than the log is found', () => {
  const broken = rulesBrokenBy(({ readers }) => {
    readers[0]!.streams[0]!.lines[0] = { type: 'event', number: 1, cursor: cursorOf(2) }
  })
  assert.deepEqual(broken, ['wrong cursor'])
})

test('every clean history passes', () => {
  fc.assert(
    fc.property(cleanHistories, (history) => {
      assert.deepEqual(check(history), [])
    }),
  )
})

/** Each does one thing that must not happen to any clean history; `pick` chooses where. `false`: there is no such place. */
const mutations: Record<string, { breaks: Rule; change: (history: Plan, pick: Pick) => boolean }> =
  {
    'an acknowledged event is taken from the log': {
      breaks: 'lost',
      change: ({ log, publishers }, pick) => {
        const answered = publishers.flatMap(({ publications }) =>
          publications.filter(({ outcome }) => outcome.type === 'accepted'),
        )
        const victim = pick(answered)
        if (victim === undefined) return false
        log.splice(
          log.findIndex(({ number }) => number === victim.number),
          1,
        )
        return true
      },
    },
    'a 202 is given for an event that never came to the log': {
      breaks: 'lost',
      change: ({ publishers }, pick) => {
        const { publications } = pick(publishers)!
        publications.splice(pick([...publications.keys()]) ?? 0, 0, accepted(FOREIGN))
        return true
      },
    },
    'an event is in the log again': {
      breaks: 'duplicated',
      change: ({ log }, pick) => {
        const event = pick(log)
        if (event === undefined) return false
        log.splice(pick([...log.keys()])!, 0, event)
        return true
      },
    },
    'two accepted events of one publisher change places in the log': {
      breaks: 'reordered',
      change: ({ log, publishers }, pick) => {
        const publications = pick(publishers)!.publications.filter(
          ({ outcome }) => outcome.type === 'accepted',
        )
        const [first, second] = publications.map(({ number }) =>
          log.findIndex((event) => event.number === number),
        )
        if (first === undefined || second === undefined) return false
        ;[log[first], log[second]] = [log[second]!, log[first]!]
        return true
      },
    },
    'an event nobody sent is in the log': {
      breaks: 'made up',
      change: ({ log }, pick) => {
        log.splice(pick([...log.keys()]) ?? 0, 0, logged(FOREIGN))
        return true
      },
    },
    'a reader was shown what is not in the log': {
      breaks: 'vanished',
      change: ({ readers }, pick) => {
        const { lines } = pick(pick(readers)!.streams)!
        lines.splice(pick([...lines.keys()]) ?? 0, 0, shown(FOREIGN))
        return true
      },
    },
    'a line is missing in a stream that goes on': {
      breaks: 'missed',
      change: ({ readers }, pick) => {
        const { lines } = pick(pick(readers)!.streams)!
        if (lines.length < 2) return false
        lines.splice(pick([...lines.keys()].slice(0, -1))!, 1)
        return true
      },
    },
    'the last line of the last stream is missing': {
      breaks: 'missed',
      change: ({ readers }, pick) => pick(readers)!.streams.at(-1)!.lines.pop() !== undefined,
    },
    'a line comes again': {
      breaks: 'seen twice',
      change: ({ readers }, pick) => {
        const { lines } = pick(pick(readers)!.streams)!
        const at = pick([...lines.keys()])
        if (at === undefined) return false
        lines.splice(pick([...lines.keys()].slice(at))! + 1, 0, lines[at]!)
        return true
      },
    },
    'two lines change places': {
      breaks: 'seen out of order',
      change: ({ readers }, pick) => {
        const { lines } = pick(pick(readers)!.streams)!
        const at = pick([...lines.keys()].slice(1))
        if (at === undefined) return false
        ;[lines[at - 1], lines[at]] = [lines[at]!, lines[at - 1]!]
        return true
      },
    },
  }

type Pick = <T>(from: readonly T[]) => T | undefined

for (const [name, { breaks, change }] of Object.entries(mutations))
  test(`in every history it is found when ${name}`, () => {
    fc.assert(
      fc.property(cleanHistories, fc.infiniteStream(fc.nat()), (history, numbers) => {
        const pick: Pick = (from) => from[numbers.next().value! % (from.length || 1)]
        fc.pre(change(history, pick))
        const found = check(history).map(({ rule }) => rule)
        assert.ok(found.includes(breaks), `found only: ${found.join(', ')}`)
      }),
    )
  })

/** A number that no history uses. */
const FOREIGN = 1_000_001

/** A history whose parts can be changed. */
interface Plan extends History {
  readonly publishers: { name: string; publications: PublicationRecord[] }[]
  readonly readers: ReaderDraft[]
  readonly log: LoggedEvent[]
}

const WANTS: ReaderRecord['wants'][] = [
  [[]],
  [['odd']],
  [['even'], ['odd', 'all']],
  [['all', 'even']],
]

/** Made like a real one: events with their fates in the order of the log, cut into streams at random. */
const cleanHistories: fc.Arbitrary<Plan> = fc
  .record({
    fates: fc.array(
      fc.record({
        publisher: fc.nat(2),
        fate: fc.constantFrom(
          'accepted',
          'accepted',
          'accepted',
          'unanswered',
          'cut off',
          'refused',
        ),
      }),
      { maxLength: 40 },
    ),
    readers: fc.array(
      fc.record({
        wants: fc.constantFrom(...WANTS),
        cuts: fc.array(fc.nat(40), { maxLength: 4 }),
        startsOver: fc.boolean(),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  })
  .map(({ fates, readers }) => {
    const publishers = ['P', 'Q', 'R'].map((name) => ({
      name,
      publications: [] as PublicationRecord[],
    }))
    const log: LoggedEvent[] = []
    for (const [number, { publisher, fate }] of fates.entries()) {
      const { outcome } =
        fate === 'accepted'
          ? accepted(number)
          : sent(number, { type: fate === 'refused' ? 'refused' : 'unknown' })
      publishers[publisher]!.publications.push(sent(number, outcome))
      if (fate === 'accepted' || fate === 'unanswered') log.push(logged(number))
    }
    return {
      publishers,
      log,
      readers: readers.map(({ wants, cuts, startsOver }, index) => {
        const due = log
          .filter(({ topics }) => wants.some((all) => all.every((topic) => topics.includes(topic))))
          .map(({ number }) => number)
        const ends = [...cuts.toSorted((a, b) => a - b), due.length].map((cut) =>
          Math.min(cut, due.length),
        )
        const streams = ends.map((end, turn) => {
          const begin = turn === 0 || startsOver ? 0 : ends[turn - 1]!
          const from = begin === 0 ? 'start' : { after: due[begin - 1]! }
          const lines = due.slice(begin, end).map((number) => shown(number))
          return { from, lines, isComplete: turn === ends.length - 1 } as const
        })
        return { name: `reader ${index}`, wants, streams }
      }),
    }
  })
