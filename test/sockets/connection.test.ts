import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { connectionOf } from '../../src/sockets/connection.ts'

test('what is remembered of a connection is there at its next request, and of no other', () => {
  const [socket, other] = [new Socket(), new Socket()]
  connectionOf(socket).inputIgnored = true
  assert.equal(connectionOf(socket).inputIgnored, true)
  assert.equal(connectionOf(other).inputIgnored, false)
})
