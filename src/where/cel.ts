import { Environment, type ASTNode, type ParseResult } from '@marcbachmann/cel-js'

/*
 * CEL by @marcbachmann/cel-js, held to what may be given into foreign hands (docs/decisions/0012-cel.md). The library
 * parses, checks and evaluates. What it lacks is added where its own tree allows it: a meter in loops and in work that
 * grows with the values, errors that cost nothing, and types that do not pile up with the shapes of the payloads.
 */

/** What an expression is asked about: its variables by their names. */
export type Variables = Readonly<Record<string, unknown>>

/** A checked expression. */
export interface Program {
  /** Never throws. Steps take about 50 ns each. */
  evaluate(variables: Variables, stepsMax: number): Outcome
}

/** `failed`: a member was missing, a value was of another type, or the work exceeded the limit. */
export type Outcome = 'true' | 'false' | 'failed'

/** The text is no expression that is served. */
export class CelError extends Error {
  /** Where in the text, in UTF-16 units. */
  readonly start: number
  constructor(message: string, start: number) {
    super(message)
    this.start = start
  }
}

/** @throws {CelError} what is wrong, and where. */
export function compile(text: string): Program {
  const parsed = parse(text)
  const { ast } = parsed
  refuseUnserved(ast, text)
  const { valid, type, error } = parsed.check()
  if (!valid) {
    const problem = problemOf(error!, text) ?? 'the library cannot tell the types of the expression'
    throw new CelError(problem + hintFor(ast), error!.range?.start ?? 0)
  }
  if (type !== 'bool' && type !== 'dyn')
    throw new CelError(`the expression is of the type ${type}, and must be true or false`, 0)
  meter(ast)
  const needed = neededFirst(ast)
  return {
    evaluate(variables, stepsMax) {
      if (needed.some((path) => !isPresent(variables, path))) return 'failed'
      stepsLeft = stepsMax
      try {
        const result: unknown = parsed(variables)
        if (stepsLeft < 0 || typeof result !== 'boolean') return 'failed'
        return result ? 'true' : 'false'
      } catch {
        return 'failed'
      }
    },
  }
}

const environment = new Environment({
  unlistedVariablesAreDyn: true, // a payload may have any member
  homogeneousAggregateLiterals: false, // `x in [1, "one"]`
  limits: { maxDepth: 64, maxCallArguments: 8 },
})

/** Numbers of JSON are doubles, as CEL wants them, and the literal in `count + 1` is an int: CEL alone would fail. */
for (const [operator, calculate] of [
  ['+', (a: number, b: number) => a + b],
  ['-', (a: number, b: number) => a - b],
  ['*', (a: number, b: number) => a * b],
  ['/', (a: number, b: number) => a / b],
] as const) {
  environment.registerOperator(`double ${operator} int: double`, (a: number, b: bigint) =>
    calculate(a, Number(b)),
  )
  environment.registerOperator(`int ${operator} double: double`, (a: bigint, b: number) =>
    calculate(Number(a), b),
  )
}

/** What the library's evaluator is beside its types. It hands itself to every function as `this`. */
interface Evaluator {
  createError: () => Error
  debugType: (value: unknown) => unknown
  debugTypeDeep: (value: unknown) => unknown
}

environment.registerFunction('evaluator(): bool', function (this: Evaluator) {
  // One error for all: with a stack and a message of its own each missing member would cost 5 µs.
  this.createError = () => {
    stepsLeft -= STEPS_PER_FAILURE
    return FAILED
  }
  // Made of a list of lists of maps, a type stays in the registry for ever: 1.4 MB for one payload nested 300 deep.
  this.debugTypeDeep = (value) => this.debugType(value)
  return true
})
environment.evaluate('evaluator()')

const FAILED = new Error('not to be evaluated')

/** An error that is thrown and caught, perhaps in each turn of a loop, takes a microsecond. */
const STEPS_PER_FAILURE = 20

/** One that the library's functions make with all its circumstances takes five. */
const STEPS_PER_FULL_FAILURE = 100

/** Of the evaluation that is under way; below 0: too many were asked for. */
let stepsLeft = 0

function spend(steps: number): void {
  stepsLeft -= steps
  if (stepsLeft < 0) throw FAILED
}

function parse(text: string): ParseResult {
  try {
    return environment.parse(text)
  } catch (error) {
    const problem =
      problemOf(error as LibraryError, text) ?? 'the library cannot read the expression'
    throw new CelError(problem, (error as LibraryError).range?.start ?? 0)
  }
}

/** Absent: no error about the text, but one of the library's own, such as a stack that overflows. */
interface LibraryError {
  readonly code?: string
  readonly summary?: string
  readonly range?: { readonly start: number; readonly end: number }
}

/** In the words of the text instead of the names of the library's tokens. `null`: it is not about the text. */
function problemOf({ code, summary, range }: LibraryError, text: string): string | null {
  if (summary === undefined) return null
  const found = range === undefined ? '' : text.slice(range.start, range.end)
  switch (code) {
    case 'unexpected_token':
    case 'unexpected_character':
      return found === '' ? 'unexpected end' : `unexpected ${quoted(found)}`
    case 'expected_token': {
      const expected = TOKENS[/^Expected (\w+)/.exec(summary)?.[1] ?? ''] ?? 'something else'
      return `expected ${expected}, found ${found === '' ? 'the end' : quoted(found)}`
    }
    case 'invalid_macro_argument':
      return summary.startsWith('has()')
        ? 'has() takes a member, such as has(event.commit)'
        : 'the first argument must be a name of your own, as in files.exists(f, f == "README")'
    case 'limit_exceeded':
      return 'the expression is too deeply nested, or has too many elements or arguments'
    default:
      return `${summary.charAt(0).toLowerCase()}${summary.slice(1)}`
  }
}

function quoted(text: string): string {
  return text.includes("'") ? `"${text}"` : `'${text}'`
}

/** How the library's tokens are written, where it expects one. */
const TOKENS: Readonly<Record<string, string>> = {
  EOF: 'the end',
  IDENTIFIER: 'a name',
  RPAREN: "')'",
  RBRACKET: "']'",
  RBRACE: "'}'",
  COLON: "':'",
  COMMA: "','",
}

/** Operators that run through a list. */
const MACROS: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'filter', 'map'])

/** Everything else is refused: regular expressions for the time they may take, and what nobody has weighed. */
const METHODS: ReadonlySet<string> = new Set([
  ...MACROS,
  ...'size contains startsWith endsWith lowerAscii upperAscii trim'.split(' '),
  ...'getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear'.split(' '),
  ...'getHours getMinutes getSeconds getMilliseconds'.split(' '),
])

const FUNCTIONS: ReadonlySet<string> = new Set(
  'has size int double string bool type dyn timestamp duration'.split(' '),
)

function refuseUnserved(node: ASTNode, text: string): void {
  if (node.op === 'call' && !FUNCTIONS.has(node.args[0]))
    throw new CelError(`there is no function ${node.args[0]}()`, node.start)
  if (node.op === 'rcall') {
    const [name, receiver, args] = node.args
    const start = text.indexOf(name, receiver.end)
    if (name === 'matches')
      throw new CelError(
        'matches() is not served, as regular expressions can take any time: use contains(), startsWith() or endsWith()',
        start,
      )
    if (!METHODS.has(name)) throw new CelError(`there is no method ${name}()`, start)
    // With a time zone they take 44 µs each.
    if (name.startsWith('get') && args.length > 0)
      throw new CelError(`${name}() takes no time zone here: times are UTC`, start)
  }
  for (const child of childrenOf(node)) refuseUnserved(child, text)
}

function childrenOf(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case 'value':
    case 'id':
      return []
    case '.':
    case '.?':
      return [node.args[0]]
    case '!_':
    case '-_':
      return [node.args]
    case 'call':
      return node.args[1]
    case 'rcall':
      return [node.args[1], ...node.args[2]]
    case 'map':
      return node.args.flat()
    default:
      return node.args
  }
}

/** A payload may have a member `type`, and the name alone is CEL's. */
function hintFor(node: ASTNode): string {
  const name = ownNameIn(node)
  return name === null
    ? ''
    : ` (${name} is a name of the language: write event.${name} for the member of the payload)`
}

function ownNameIn(node: ASTNode): string | null {
  if (node.op === 'id') return environment.hasVariable(node.args) ? node.args : null
  for (const child of childrenOf(node)) {
    const name = ownNameIn(child)
    if (name !== null) return name
  }
  return null
}

/** What the library's nodes are beside their types, once checked. */
interface CheckedNode {
  handle?: (...values: unknown[]) => unknown
  /** The loop a macro stands for. */
  readonly meta: {
    readonly alternate?: CheckedNode & {
      readonly args: { condition?: (accumulated: unknown) => boolean }
    }
  }
}

/** Makes whatever can take long count its steps. */
function meter(node: ASTNode): void {
  for (const child of childrenOf(node)) meter(child)
  if (node.op === 'rcall' && MACROS.has(node.args[0])) meterLoop(node)
  else if (growsWithValues(node)) meterWork(node)
}

/**
 * Each turn costs as many steps as its body has nodes. A condition ends the loop where an error would not: `all` and
 * `exists` swallow those, as CEL wants it.
 */
function meterLoop(node: ASTNode & { op: 'rcall' }): void {
  const loop = (node as unknown as CheckedNode).meta.alternate!
  const stepsPerTurn = 1 + node.args[2].reduce((sum, body) => sum + nodesIn(body), 0)
  const { condition } = loop.args
  loop.args.condition = (accumulated) => {
    stepsLeft -= stepsPerTurn
    return stepsLeft >= 0 && (condition === undefined || condition(accumulated))
  }
  // The keys of a map are made a list at first.
  const handle = loop.handle!
  loop.handle = (collection, ...rest) => {
    if (!Array.isArray(collection)) spend(weightOf(collection))
    return handle(collection, ...rest)
  }
}

function nodesIn(node: ASTNode): number {
  return childrenOf(node).reduce((sum, child) => sum + nodesIn(child), 1)
}

function growsWithValues(node: ASTNode): boolean {
  switch (node.op) {
    case '+':
    case 'rcall':
      return true
    case 'call':
      return node.args[0] !== 'has'
    case '==':
    case '!=': // no longer than the shorter one
      return !node.args.some(isLiteral)
    case 'in':
      return !isLiteral(node.args[1])
    default:
      return false
  }
}

function isLiteral(node: ASTNode): boolean {
  return node.op === 'value' || (node.op === 'list' && node.args.every(isLiteral))
}

function meterWork(node: ASTNode): void {
  const checked = node as unknown as CheckedNode
  const handle = checked.handle
  if (handle === undefined) return // the check has settled it
  if (node.op !== 'rcall' && node.op !== 'call') {
    checked.handle = (left, right, ...rest) => {
      spend(weightOf(left) + weightOf(right))
      return handle(left, right, ...rest)
    }
    return
  }
  const [name] = node.args
  const extraSteps = EXTRA_STEPS[name] ?? (() => 0)
  const ofTexts = OF_TEXTS[name]
  checked.handle = (values, ...rest) => {
    const [first, second] = values as readonly unknown[]
    spend(weightOf(first) + weightOf(second) + extraSteps(first, second))
    if (ofTexts !== undefined && typeof first === 'string' && typeof second === 'string')
      return ofTexts(first, second)
    try {
      return handle(values, ...rest)
    } catch (error) {
      if (error !== FAILED) stepsLeft -= STEPS_PER_FULL_FAILURE
      throw error
    }
  }
}

/** As the library has them, without its search for the types of the values: most filters ask nothing else. */
const OF_TEXTS: Readonly<Record<string, (text: string, part: string) => boolean>> = {
  startsWith: (text, part) => text.startsWith(part),
  endsWith: (text, part) => text.endsWith(part),
  contains: (text, part) => text.includes(part),
}

/** Characters that are copied or compared in the time of one step, which is about 50 ns. */
const CHARACTERS_PER_STEP = 64

/** What takes longer than to go through the values once. */
const EXTRA_STEPS: Readonly<Record<string, (first: unknown, second: unknown) => number>> = {
  /** At worst every place of the one is compared with all of the other. */
  contains: (text, part) =>
    typeof text === 'string' && typeof part === 'string'
      ? (text.length * part.length) / CHARACTERS_PER_STEP ** 2
      : 0,
  /** It counts code points, one after the other. */
  size: (value) => (typeof value === 'string' ? value.length / (CHARACTERS_PER_STEP / 4) : 0),
}

/** Steps to go through a value once. */
function weightOf(value: unknown): number {
  if (typeof value === 'string') return value.length / CHARACTERS_PER_STEP
  if (typeof value !== 'object' || value === null) return 0
  let weight = weights.get(value)
  if (weight === undefined) {
    weight = 1
    for (const part of Object.values(value)) weight += 1 + weightOf(part)
    weights.set(value, weight)
  }
  return weight
}

/** The values of one event are weighed for all expressions. */
const weights = new WeakMap<object, number>()

type Path = readonly string[]

/**
 * Members without which there is nothing to evaluate: those of the first comparison. Looking first takes 30 ns, while the
 * library's way out by an error takes a microsecond, and most expressions are about members that most events lack.
 */
function neededFirst(node: ASTNode): readonly Path[] {
  return node.op === '&&' ? neededFirst(node.args[0]) : neededBy(node)
}

/** Members without which this cannot be evaluated. `&&` and `||` can: what is on their other side may decide. */
function neededBy(node: ASTNode): readonly Path[] {
  const path = pathOf(node)
  if (path !== null) return [path]
  switch (node.op) {
    case '?:':
      return neededBy(node.args[0])
    case '!_':
    case '-_':
      return neededBy(node.args)
    case 'rcall':
      return neededBy(node.args[1])
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
    case 'in':
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
      return node.args.flatMap(neededBy)
    default:
      return []
  }
}

/** `commit.author` as its names; `null`: not a member of a member of a variable. */
function pathOf(node: ASTNode): Path | null {
  if (node.op === 'id') return environment.hasVariable(node.args) ? null : [node.args]
  if (node.op !== '.') return null
  const owner = pathOf(node.args[0])
  return owner === null ? null : [...owner, node.args[1]]
}

function isPresent(variables: Variables, path: Path): boolean {
  let value: unknown = variables
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return false
    value = (value as Variables)[name]
  }
  return true
}
