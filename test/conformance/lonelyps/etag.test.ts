import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { strongEtag } from '../../../src/protocols/lonelyps/etag.ts'
import { vectorsOf } from './vectors.ts'

for (const { name, fields, document_hex: document, encoded_hex: expected } of vectorsOf(
  'strong-etag',
))
  test(`${name} is made as the reference does`, () => {
    const topics = fields.topics.map((entry: { topic: string; recovery: string | null }) => ({
      topic: Buffer.from(entry.topic, 'hex'),
      recovery: entry.recovery,
    }))
    assert.equal(strongEtag(fields.url, { topics, globs: fields.globs }).toString('hex'), expected)
    assert.equal(hash('sha512', Buffer.from(document!, 'hex'), 'hex'), expected)
  })
