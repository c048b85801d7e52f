import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { SETTINGS } from '../../src/config/schema.ts'
import { doorContract } from '../contracts/door.ts'
import { DOORS, startAllDoors } from './door-clients.ts'

for (const door of DOORS) doorContract(door, DOORS, startAllDoors)

test('each protocol has clients that run the contract, a page and a row in the README', () => {
  const protocols = Object.keys(SETTINGS.fields!['protocols']!.fields!)
  assert.ok(protocols.length > 0)
  for (const protocol of protocols) {
    assert.ok(
      DOORS.some(({ name }) => name.startsWith(protocol)),
      `${protocol} has no client in test/protocols/door-clients.ts`,
    )
    assert.match(
      read('README.md'),
      new RegExp(`^\\| ${protocol} .*protocols: \\{${protocol}: `, 'm'),
    )
    assert.match(read(`docs/protocols/${protocol}.md`), /^# /)
  }
})

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
}
