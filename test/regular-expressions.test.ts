import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseSync, Visitor } from 'oxc-parser'
import { check } from 'recheck'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

interface Expression {
  /** `src/ops/logger.ts:14` */
  readonly where: string
  readonly source: string
  readonly flags: string
}

interface Found {
  readonly expressions: readonly Expression[]
  /** Lines where one is made from a text when the module is loaded. */
  readonly constructed: readonly number[]
  /** What can be checked by nobody. */
  readonly hidden: readonly string[]
}

/** Every regular expression of a file, as the parser sees it. */
function expressionsIn(file: string, text: string): Found {
  const { program, errors } = parseSync(file, text)
  assert.deepEqual(errors, [], file)
  const lineOf = (offset: number) => text.slice(0, offset).split('\n').length
  const expressions: Expression[] = []
  const constructed: number[] = []
  const hidden: string[] = []
  const named = new Set<number>()
  const types = new Set<number>()
  let functions = 0
  const enter = () => void functions++
  const leave = () => void functions--
  new Visitor({
    Literal(node) {
      if (!('regex' in node)) return
      const { pattern: source, flags } = node.regex
      expressions.push({ where: `${file}:${lineOf(node.start)}`, source, flags })
    },
    NewExpression({ start, callee }) {
      if (callee.type !== 'Identifier' || callee.name !== 'RegExp') return
      named.add(callee.start)
      if (functions === 0) constructed.push(lineOf(start))
      else hidden.push(`${file}:${lineOf(start)}: made while the program runs`)
    },
    CallExpression({ start, callee, arguments: [argument] }) {
      if (callee.type !== 'MemberExpression' || callee.property.type !== 'Identifier') return
      const isText =
        argument?.type === 'TemplateLiteral' ||
        (argument?.type === 'Literal' && typeof argument.value === 'string')
      if (isText && ['match', 'matchAll', 'search'].includes(callee.property.name))
        hidden.push(`${file}:${lineOf(start)}: a text that is taken for an expression`)
    },
    TSTypeReference({ typeName }) {
      if (typeName.type === 'Identifier') types.add(typeName.start)
    },
    Identifier({ name, start }) {
      if (name === 'RegExp' && !named.has(start) && !types.has(start))
        hidden.push(`${file}:${lineOf(start)}: RegExp without new`)
    },
    FunctionDeclaration: enter,
    'FunctionDeclaration:exit': leave,
    FunctionExpression: enter,
    'FunctionExpression:exit': leave,
    ArrowFunctionExpression: enter,
    'ArrowFunctionExpression:exit': leave,
    PropertyDefinition: enter,
    'PropertyDefinition:exit': leave,
  }).visit(program)
  return { expressions, constructed, hidden }
}

/** Loads a module, and takes down what it makes of texts. */
async function constructedIn(file: string): Promise<Expression[]> {
  const made: Expression[] = []
  const { RegExp } = globalThis
  globalThis.RegExp = new Proxy(RegExp, {
    construct(target, [source, flags]: [string, string?]) {
      const line = new RegExp(`${file}:(\\d+)`).exec(new Error('where').stack ?? '')?.[1]
      const expression = new target(source, flags)
      if (line !== undefined)
        made.push({ where: `${file}:${line}`, source: expression.source, flags: expression.flags })
      return expression
    },
  })
  try {
    await import(join(ROOT, file))
  } finally {
    globalThis.RegExp = RegExp
  }
  return made
}

/**
 * With counts that are large taken for "any number": each way through the expression that there is then is a way
 * through this one, so that what holds for it holds for the other, and it is proved in a moment.
 */
function withoutLargeCounts(source: string): string {
  return source.replaceAll(
    /\\[pPuk]\{[^}]*\}|\\[^]|\[(?:\\[^]|[^\]\\])*\]|\{(\d+)(?:,(\d*))?\}/g,
    (whole, least: string | undefined, most: string | undefined) =>
      least !== undefined && Number(most ?? least) > 8 ? '*' : whole,
  )
}

/** `null`: its time grows as the length of the text does, and this is proved. */
async function complaintAbout({ where, source, flags }: Expression): Promise<string | null> {
  const result = await check(withoutLargeCounts(source), flags, {
    checker: 'automaton',
    timeout: null,
  })
  if (result.status === 'safe') return null
  const why =
    result.status === 'vulnerable'
      ? `${result.complexity.summary}, as ${result.attack.pattern} shows`
      : `nothing is proved: ${JSON.stringify(result.error)}`
  return `${where} /${source}/${flags}: ${why}`
}

async function complaintsAbout(expressions: readonly Expression[]): Promise<string[]> {
  const complaints = await Promise.all(expressions.map(complaintAbout))
  return complaints.filter((complaint) => complaint !== null)
}

/** Of what runs here, in a browser, and at those who take our clients. */
const files = ['src', 'clients'].flatMap((directory) =>
  readdirSync(join(ROOT, directory), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.m?[jt]s$/.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name))),
)

const found = files.map((file) => ({
  file,
  ...expressionsIn(file, readFileSync(join(ROOT, file), 'utf8')),
}))

test('every regular expression is a literal, or made from a text when its module is loaded', async () => {
  assert.ok(found.flatMap(({ expressions }) => expressions).length > 100)
  assert.deepEqual(
    found.flatMap(({ hidden }) => hidden),
    [],
  )
})

test('no regular expression takes more than linear time', async () => {
  const all = found.flatMap(({ expressions }) => expressions)
  for (const { file, constructed } of found) {
    if (constructed.length === 0) continue
    const made = await constructedIn(file)
    assert.deepEqual(
      made.map(({ where }) => where),
      constructed.map((line) => `${file}:${line}`),
    )
    all.push(...made)
  }
  assert.deepEqual(await complaintsAbout(all), [])
})

test('an expression that is slow is found, whatever it looks like', async () => {
  for (const [text, complaint] of [
    [String.raw`x.test(/^\s*[+-]?(\d+\.?\d*|\.\d+)\s*$/)`, /a\.ts:1 .*polynomial/],
    ['const a = 1\nconst b = /(a|a)*$/u', /a\.ts:2 .*exponential/],
    ['/a{1,200}a{1,200}$/', /polynomial/],
    ['/a*(?=b*)c/', /nothing is proved/],
    ['text.match(`a${b}`)', /taken for an expression/],
    ['const f = () => new RegExp(a)', /made while/],
    ['class A { a = new RegExp(b) }', /made while/],
    ['RegExp(a)', /without new/],
    ['const R = RegExp', /without new/],
  ] as const) {
    const { expressions, hidden } = expressionsIn('a.ts', text)
    assert.match([...hidden, ...(await complaintsAbout(expressions))].join('\n'), complaint, text)
  }
  const { expressions, hidden } = expressionsIn('a.ts', 'const f = (a: RegExp) => 1 // /(a|a)*$/')
  assert.deepEqual([...expressions, ...hidden], [])
})
