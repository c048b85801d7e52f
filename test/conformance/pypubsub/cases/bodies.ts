import { exchange, request, utf8, watched, type Case } from '../case.ts'

const bodies: Readonly<Record<string, string>> = {
  'half an object': '{',
  'a word': 'hello',
  'white space only': ' \r\n\t',
  'an object in single quotes': "{'a': 1}",
  'a form': 'a=1&b=2',
  'an object and more': '{} x',
  'two objects': '{}{}',
  'two objects on two lines': '{"a": 1}\n{"b": 2}\n',
  'an object with a comma too many': '{"a": 1,}',
  'an object with a number that begins with 0': '{"a": 01}',
  'an object with a number that begins with +': '{"a": +1}',
  'an object with a number that begins with a point': '{"a": .5}',
  'an object with a number that ends in a point': '{"a": 1.}',
  'an object with a hexadecimal number': '{"a": 0x1F}',
  'an object and a comment': '{"a": 1} // one',
  'an object with an unknown escape': '{"a": "\\x41"}',
  'an object with a short escape': '{"a": "\\u12"}',
  'an object with a raw newline in a string': '{"a": "1\n2"}',
  'an object with a raw tab in a string': '{"a": "1\t2"}',
  'an object with a raw NUL in a string': '{"a": "1\x002"}',
  'an object with a raw DEL in a string': '{"a": "1\x7f2"}',
  'an object before a NUL': '{"a": 1}\0',
  'an object after a form feed': '\f{"a": 1}',
  'an object after a no-break space': utf8('\u{a0}{"a": 1}'),
  'an object with a name without quotes': '{a: 1}',
  'an object with a number for a name': '{1: 1}',
  'an object with True as Python writes it': '{"a": True}',
  'an object with undefined': '{"a": undefined}',
  'an empty array': '[]',
  'an array of objects': '[{"a": 1}]',
  'a number': '1',
  zero: '0',
  'a string': '"x"',
  'an empty string': '""',
  true: 'true',
  false: 'false',
  null: 'null',
  'an object after a byte order mark': utf8('\u{feff}{"a": 1}'),
  'an object with NaN': '{"a": NaN}',
  'an object with Infinity': '{"a": Infinity}',
  'an object with -Infinity': '{"a": [-Infinity]}',
  'NaN alone': 'NaN',
  'an object with a byte that is no UTF-8': '{"a": "\xff"}',
  'an object with overlong UTF-8': '{"a": "\xc0\xaf"}',
  'an object with half a UTF-8 character': '{"a": "\xc3"}',
  'an object with a surrogate as UTF-8': '{"a": "\xed\xa0\x80"}',
  'an object in UTF-16': Buffer.from('{"a": 1}', 'utf16le').toString('latin1'),
  'an array that is never closed': '['.repeat(900),

  'an empty object': '{}',
  'an object in white space': ' \t\r\n{ } \n\r\t',
  'an object over several lines': '{\r\n\t"a": [\n1,\n2\n]\n}\n',
  'an object in raw UTF-8': utf8('{"a": "zoë ☃ 🎉 \u{2028}\u{7f}", "ключ": "значение"}'),
  'an object with escapes':
    '{"a": "\\" \\\\ \\/ \\b\\f\\n\\r\\t \\u0000 \\u001f \\u00eb \\ud83c\\udf89"}',
  'an object with lone surrogates': '{"a": "\\ud800", "b": "\\udc00\\ud800", "\\ud800": 1}',
  'an object with big integers': '{"a": 123456789012345678901234567890, "b": -9007199254740993}',
  'an object with small numbers': '{"a": 0, "b": -0, "c": 0.0, "d": -0.0, "e": 1.0, "f": 1.10}',
  'an object with exponents': '{"a": 1e5, "b": 1E+2, "c": 1.5e-7, "d": 1e22, "e": 1e-400}',
  'an object with a number beyond all floats': '{"a": 1e400}',
  'an object with an integer of 600 digits': `{"a": ${'1234567890'.repeat(60)}}`,
  'an object with nesting': '{"a": {"b": [{"c": [[], {}]}, null, true, false]}}',
  'an object with nesting 400 deep': `{"a": ${'['.repeat(400)}${']'.repeat(400)}}`,
  'an object with names in no order': '{"b": 1, "a": 2, "10": 3, "9": 4, "": 5, "B": 6}',
  'an object with a name twice': '{"a": 1, "b": 2, "a": {"c": 1, "d": 2, "c": 3}}',
  'an object with __proto__': '{"__proto__": {"a": 1}, "constructor": 2, "toString": 3}',
  'an object with names that need escapes': utf8('{"\\"": 1, "\\\\": 2, "\\n": 3, "ë": 4}'),
  'an object with a member stillalive': '{"stillalive": 1588132959.5}',
  'an object with pubsub_ members nested': '{"a": {"pubsub_topics": ["x"], "pubsub_path": 1}}',
  'an object with other pubsub_ members': '{"pubsub_": 1, "pubsub_other": 2, "PUBSUB_TOPICS": 3}',
  'an object with pubsub_ members of its own':
    '{"pubsub_cursor": "x", "a": 1, "pubsub_topics": ["spoofed"], "pubsub_path": "/spoofed", "pubsub_timestamp": 1, "b": 2}',
  'an object with one pubsub_ member of its own': '{"pubsub_topics": ["spoofed"], "a": 1}',
  'an object with nothing but a pubsub_ member of its own': '{"pubsub_cursor": null}',
  'an object with a pubsub_ member of its own twice':
    '{"pubsub_path": 1, "a": 1, "pubsub_path": 2, "pubsub_path": {"b": 3}}',
  'an object with pubsub_ members of its own in escapes':
    '{"pubsub_t\\u006fpics": ["spoofed"], "\\u0070ubsub_path": "/spoofed", "a": 1}',
}

export const bodyCases: readonly Case[] = Object.entries(bodies).map(([what, body]) => ({
  name: `a body that is ${what}`,
  config: 'open',
  steps: watched(
    ...exchange('client', request('PUT', '/first', { body })),
    ...exchange('client', request('POST', '/second', { body: '{"next": 1}' })),
  ),
}))

const depths = [850, 950, 5_000, 40_000]

export const deepCases: readonly Case[] = depths.flatMap((depth): Case[] => [
  {
    name: `a body with arrays ${depth} deep`,
    config: 'bare',
    steps: watched(
      ...exchange(
        'client',
        request('PUT', '/deep', { body: `{"a": ${'['.repeat(depth)}${']'.repeat(depth)}}` }),
      ),
      ...exchange('client', request('PUT', '/flat', { body: '{"next": 1}' })),
    ),
  },
  {
    name: `a body with objects ${depth} deep`,
    config: 'bare',
    steps: watched(
      ...exchange(
        'client',
        request('PUT', '/deep', { body: `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}` }),
      ),
      ...exchange('client', request('PUT', '/flat', { body: '{"next": 1}' })),
    ),
  },
])
