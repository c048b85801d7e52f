import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { binaryCloudEvent, checkCloudEvent } from '../../../src/http/publish/cloud-event.ts'
import { RawClient } from '../raw-client.ts'
import { eventsUpToNow, listen, put, sharedPubsub } from '../requests.ts'

const server = sharedPubsub()
const MINIMAL = { specversion: '1.0', id: '1', source: '/s', type: 't' }
const REQUIRED = ['ce-specversion', '1.0', 'ce-id', '1', 'ce-source', '/s', 'ce-type', 't']

function binary(headers: readonly string[], body: string | Uint8Array = ''): unknown {
  return JSON.parse(binaryCloudEvent([...REQUIRED, ...headers], Buffer.from(body), 10))
}

/** As Node gives the bytes of a header. */
function raw(text: string): string {
  return Buffer.from(text).toString('latin1')
}

describe('structured: the text is kept as it is', () => {
  for (const members of [
    '',
    ', "data": {"n": 1.0}, "subject": "é", "time": "2026-11-27T10:00:00.123+01:00"',
    ', "data_base64": "AAE=", "datacontenttype": "image/png", "dataschema": "urn:x:y"',
    ', "comexample1": -2147483648, "flag": true, "nothing": null, "subject": null',
    ', "time": "2024-02-29T23:59:60Z"',
    ', "dataschema": "https://example.org/日本?é#🦀"',
  ])
    test(members || 'nothing but what is required', () => {
      const text = `${JSON.stringify(MINIMAL).slice(0, -1)}${members}}`
      assert.equal(checkCloudEvent(text), text)
    })
})

describe('structured: refused', () => {
  const cases: readonly [object, RegExp][] = [
    [{ specversion: undefined }, /specversion is missing/],
    [{ id: undefined }, /id is missing/],
    [{ source: null }, /source is missing/],
    [{ type: undefined }, /type is missing/],
    [{ specversion: '0.3' }, /specversion is not 1\.0/],
    [{ id: '' }, /id is empty/],
    [{ id: 7 }, /id is no string/],
    [{ source: 'a b' }, /source is no URI reference/],
    [{ source: '/%4' }, /source is no URI reference/],
    [{ dataschema: '/relative' }, /dataschema is no absolute URI/],
    [{ time: 'today' }, /time is no timestamp/],
    [{ time: '2026-02-30T00:00:00Z' }, /time is no timestamp/],
    [{ time: '2026-01-01T00:00:00' }, /time is no timestamp/],
    [{ datacontenttype: 'json' }, /datacontenttype is no media type/],
    [{ Upper: 'x' }, /Upper has a name of other characters/],
    [{ a_b: 'x' }, /a_b has a name/],
    [{ ['é\n']: 'x' }, /has a name/],
    [{ ['__proto__']: 'x' }, /__proto__ has a name/],
    [{ subject: 'a\u0000' }, /subject has a control character/],
    [{ subject: '\ud800' }, /half of a surrogate/],
    [{ ext: 1.5 }, /ext is no string, boolean or integer/],
    [{ ext: 2 ** 31 }, /ext is no string, boolean or integer/],
    [{ ext: {} }, /ext is no string, boolean or integer/],
    [{ data: 1, data_base64: 'AA==' }, /both data and data_base64/],
    [{ data_base64: 'A' }, /no base64/],
    [{ data_base64: 7 }, /no base64/],
  ]
  for (const [change, message] of cases)
    test(JSON.stringify(change), () => {
      assert.throws(() => checkCloudEvent(JSON.stringify({ ...MINIMAL, ...change })), {
        code: 'BAD_CLOUD_EVENT',
        message,
      })
    })
})

describe('binary: headers and body become the JSON format', () => {
  const JSON_DATA = ['Content-Type', 'application/json; charset=utf-8']
  const cases: readonly [string, readonly string[], string | Uint8Array, object][] = [
    ['no data', [], '', {}],
    ['JSON', JSON_DATA, ' {"a":\n [1]} ', { datacontenttype: JSON_DATA[1], data: { a: [1] } }],
    [
      'JSON by its suffix',
      ['content-type', 'application/x+json'],
      '7',
      { datacontenttype: 'application/x+json', data: 7 },
    ],
    ['text', ['Content-Type', 'text/plain'], 'é"', { datacontenttype: 'text/plain', data: 'é"' }],
    [
      'text that is no UTF-8',
      ['Content-Type', 'text/plain'],
      Buffer.from([0xe9]),
      { datacontenttype: 'text/plain', data_base64: '6Q==' },
    ],
    [
      'text in another encoding',
      ['Content-Type', 'text/plain; charset=latin1'],
      'a',
      { datacontenttype: 'text/plain; charset=latin1', data_base64: 'YQ==' },
    ],
    ['bytes of no type', [], Buffer.from([0, 255]), { data_base64: 'AP8=' }],
    ['escapes, once', ['CE-Subject', '%E2%82%AC%2541'], '', { subject: '€%41' }],
    ['quotes', ['ce-subject', '"a \\"b\\" %20"'], '', { subject: 'a "b"  ' }],
    ['an extension', ['ce-comexample', '1'], '', { comexample: '1' }],
    ['raw UTF-8', ['ce-subject', raw('Ünï "ç" 日🦀')], '', { subject: 'Ünï "ç" 日🦀' }],
    ['raw ISO-8859-1', ['ce-subject', '\xdcn\xef'], '', { subject: 'Ünï' }],
    ['a lone percent sign', ['ce-subject', '"100%"'], '', { subject: '"100%"' }],
    ['half an escape', ['ce-subject', '%4'], '', { subject: '%4' }],
    ['no escape', ['ce-subject', '%zz%20'], '', { subject: '%zz%20' }],
    [
      'escapes of one who encodes nothing',
      ['ce-subject', '50%25', 'ce-comexample', raw('é')],
      '',
      { subject: '50%25', comexample: 'é' },
    ],
    [
      'escapes of a URI that spell no UTF-8, of one who encodes nothing',
      ['ce-dataschema', 'urn:%ff', 'ce-subject', raw('é')],
      '',
      { dataschema: 'urn:%ff', subject: 'é' },
    ],
    ['a raw URI', ['ce-dataschema', raw('urn:é%C3%A9')], '', { dataschema: 'urn:é%C3%A9' }],
    ['escapes of a URI', ['ce-dataschema', 'urn:a%20b'], '', { dataschema: 'urn:a%20b' }],
    ['escaped escapes of a URI', ['ce-dataschema', 'urn:a%2520b'], '', { dataschema: 'urn:a%20b' }],
  ]
  for (const [name, headers, body, expected] of cases)
    test(name, () => assert.deepEqual(binary(headers, body), { ...MINIMAL, ...expected }))

  test('the words of JSON are kept', () => {
    const text = binaryCloudEvent([...REQUIRED, ...JSON_DATA], Buffer.from('[1.0,\r\n1e400]'), 10)
    assert.ok(text.endsWith('"data": [1.0,  1e400]}'))
  })

  const refused: readonly [string, readonly string[], string, RegExp][] = [
    ['twice', ['Ce-Id', '2'], '', /ce-id is there twice/],
    ['a line break by an escape', ['ce-subject', 'a%0d%0ab'], '', /control character/],
    ['half an escape', ['ce-subject', '%e2%82'], '', /percent sign/],
    ['an escape that is no UTF-8', ['ce-subject', '%C0%A0'], '', /percent sign/],
    ['a raw control character', ['ce-subject', raw('é\u0085')], '', /control character/],
    ['a raw tab', ['ce-subject', 'a\tb'], '', /control character/],
    [
      'a URI with a blank, as it stands',
      ['ce-dataschema', raw('urn:é b')],
      '',
      /dataschema is no absolute URI/,
    ],
    ['data as a header', ['ce-data', '1'], '{}', /data is the body/],
    ['data in base64 as a header', ['ce-data_base64', 'AA=='], 'x', /data is the body/],
    ['datacontenttype as a header', ['ce-datacontenttype', 'a/b'], '', /header Content-Type/],
    ['bad JSON', JSON_DATA, '{', /not valid JSON/],
    ['JSON that is too deep', JSON_DATA, `${'['.repeat(10)}${']'.repeat(10)}`, /deeper/],
  ]
  for (const [name, headers, body, message] of refused)
    test(`refused: ${name}`, () => assert.throws(() => binary(headers, body), { message }))
})

test('a refusal shows the name of an attribute on one line, and a terminal obeys nothing in it', async () => {
  await using client = await RawClient.open(server().port)
  const body = JSON.stringify({ ...MINIMAL, '\u202e\u009b\u2028': 1 })
  const headers = ['Content-Type: application/cloudevents+json']
  const answer = await client.ask(put('/a', body, headers))
  assert.match(answer.body, /the attribute \\u\{202e\}\\u\{9b\}\\u\{2028\} has a name/)
})

test('every mode is published, and refused with a reason that is shown', async () => {
  await using stream = await listen(server())
  await using client = await RawClient.open(server().port)
  const structured = ['Content-Type: application/cloudevents+json; charset=utf-8']
  const batch = ['Content-Type: application/cloudevents-batch+json']
  const one = JSON.stringify({ ...MINIMAL, n: 1 })
  const two = ` { "data": [1.0, "],"],"specversion":"1.0","id":"2","source":"/s","type":"t"}`
  const inHeaders = ['ce-specversion: 1.0', 'ce-id: 3', 'ce-source: /s', 'ce-type: t']
  const lines = [...inHeaders, 'Content-Type: application/x-ndjson']
  const accepted: readonly [readonly string[], string][] = [
    [structured, one],
    [batch, `[${one},${two}]`],
    [inHeaders, 'x'],
    [lines, '{}\n{}\n'],
  ]
  for (const [headers, body] of accepted)
    assert.equal((await client.ask(put('/a', body, headers))).status, 202)
  const refused: readonly [readonly string[], string, RegExp][] = [
    [structured, '{}', /^not a CloudEvent of version 1.0: the attribute specversion is missing;/],
    [structured, '[]', /JSON dictionary objects/],
    [batch, `[${one}, {}]`, /^event 2: not a CloudEvent/],
    [batch, `[${one}, 7]`, /^event 2: payload is JSON, but not an object/],
    [batch, '[ ]', /^the batch has no events/],
    [batch, one, /^a batch is a JSON array/],
    [inHeaders.slice(0, 3), '', /type is missing/],
    [['Content-Type: application/cloudevents+avro'], '', /only application\/cloudevents\+json/],
  ]
  for (const [headers, body, message] of refused) {
    const answer = await client.ask(put('/a', body, headers))
    assert.equal(answer.status, 400)
    assert.match(answer.body, message)
  }
  const [events] = await eventsUpToNow(server(), stream)
  assert.deepEqual(
    events!.map(({ id, n, data, data_base64: bytes }) => [id, n, data, bytes]),
    [
      ['1', 1, undefined, undefined],
      ['1', 1, undefined, undefined],
      ['2', undefined, [1, '],'], undefined],
      ['3', undefined, undefined, 'eA=='],
      ['3', undefined, undefined, 'e30Ke30K'],
    ],
  )
})
