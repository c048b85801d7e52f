import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeSection } from '../../src/settings/describe.ts'
import { optional, section, sectionReader, setting } from '../../src/settings/section.ts'
import { integer, list, text } from '../../src/settings/values.ts'

test('a section is told as comments that stand for what it is without it', () => {
  const reader = sectionReader({
    peersMax: setting('peers', 12, integer(1, 20), { about: 'Peers at once.', shown: '12' }),
    names: setting('names', [], list(text), { about: 'Default: none.', example: '[a, b]' }),
    more: section(
      'more',
      { depthMax: setting('depth', 3, integer(1, 9), { about: 'Levels.', shown: '3' }) },
      { about: 'All the rest.' },
    ),
  })
  const door = optional('door', reader, { about: 'A protocol.' })
  assert.equal(
    describeSection(door, 2),
    `#   # A protocol.
#   door:
#     # Peers at once.
#     peers: 12
#     # Default: none.
#     names: [a, b]
#     # All the rest.
#     more:
#       # Levels.
#       depth: 3
`,
  )
})

test('what is long goes on in the next line, at most 120 columns wide', () => {
  const about = `${'word '.repeat(60)}end.`
  const lines = describeSection(setting('key', 1, integer(0, 1), { about, shown: '1' }), 4).split(
    '\n',
  )
  assert.equal(lines.length, 5)
  for (const line of lines) assert.ok(line.length <= 120, line)
  assert.equal(lines.slice(0, 3).join(' ').replaceAll(/# +# /g, ''), about)
})

test('a setting that says nothing of itself is not passed over', () => {
  assert.throws(
    () => describeSection(setting('key', 1, integer(0, 1)), 0),
    /the setting key has no description/,
  )
  assert.throws(
    () => describeSection(setting('key', 1, integer(0, 1), { about: 'One.' }), 0),
    /the setting key shows no value/,
  )
})
