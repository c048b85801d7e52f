import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { inputObjects, type InputObject } from '../../src/cli/published-input.ts'

async function objectsOf(text: string, chunkBytes = 7): Promise<InputObject[]> {
  const bytes = Buffer.from(text)
  const chunks = async function* () {
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
  }
  return Array.fromAsync(inputObjects(chunks()))
}

test('each line has an object, whose text stays as it is; blank lines count as lines', async () => {
  const object = fc
    .tuple(fc.json({ noUnicodeString: false }), fc.constantFrom('', ' ', '\t'))
    .map(([json, space]) => `${space}{"a":${space}${json}}${space}`)
  const lines = fc.array(fc.oneof(object, fc.constantFrom('', '  ', '\r')))
  await fc.assert(
    fc.asyncProperty(lines, fc.integer({ min: 1, max: 30 }), async (texts, chunkBytes) => {
      assert.deepEqual(
        await objectsOf(texts.join('\n'), chunkBytes),
        texts.flatMap((text, i) =>
          text.trim() === '' ? [] : [{ text: text.trim(), line: i + 1 }],
        ),
      )
    }),
  )
})

test('one object may go on over many lines', async () => {
  const text = '\n{\n  "a": 1,\n\n  "b": "é"\n}\n\n'
  assert.deepEqual(await objectsOf(text), [{ text: '{\n  "a": 1,\n\n  "b": "é"\n}', line: 2 }])
})

test('what stands before a wrong line comes, and the line is named', async () => {
  for (const [text, line, problem] of [
    ['{"a":1}\n{"b":\n', 2, /not a JSON object/],
    ['{"a":1}\n\n[1]\n{}', 3, /JSON, but not an object/],
    ['7\n', 1, /JSON, but not an object/],
    ['\n"{"', 2, /JSON, but not an object/],
    ['{"a":1}\n{"b":2} {"c":3}\n', 2, /not a JSON object/],
  ] as const) {
    const objects: InputObject[] = []
    const read = async () => {
      for await (const object of inputObjects(chunksOf(text))) objects.push(object)
    }
    await assert.rejects(read(), (error: Error) => {
      assert.ok(error.message.startsWith(`line ${line}: `), error.message)
      assert.match(error.message, problem)
      return true
    })
    assert.equal(objects.length, text.startsWith('{"a"') ? 1 : 0)
  }
})

test('an object over many lines that does not end is told by the line where it begins', async () => {
  await assert.rejects(objectsOf('\n\n{\n"a": 1,\n'), {
    message: /^line 3: .*an object may stand on a line, or be the whole input$/,
  })
})

test('bytes that are no text are told by their line', async () => {
  const bytes = Buffer.from('{"a":1}\n{"b":"?"}\n')
  bytes[bytes.indexOf('?')] = 0xff
  await assert.rejects(Array.fromAsync(inputObjects(chunksOf(bytes))), /^Error: line 2: /)
})

async function* chunksOf(text: string | Buffer): AsyncGenerator<Buffer> {
  yield Buffer.from(text)
}
