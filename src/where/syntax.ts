import { createRequire } from 'node:module'
import type { ASTNode, Environment } from '@marcbachmann/cel-js'

export type { ASTNode }

/** The text is no expression that is served. */
export class CelError extends Error {
  /** Where in the text, in UTF-16 units. */
  readonly start: number
  constructor(message: string, start: number) {
    super(message)
    this.start = start
  }
}

type Library = typeof import('@marcbachmann/cel-js')

const LIBRARY = '@marcbachmann/cel-js'

let library: Library | undefined

/** Ahead of the first expression, which else loads it: nobody waits for it at a start. */
export async function loadSyntax(): Promise<void> {
  library ??= await import('@marcbachmann/cel-js')
}

/** The syntax tree of an expression, all of whose functions are served. @throws {CelError} what is wrong, and where. */
export function parse(text: string): ASTNode {
  const node = parsed(text)
  refuseUnserved(node, text, DEPTH_MAX)
  return node
}

function parsed(text: string): ASTNode {
  try {
    return ownEnvironment().parse(text).ast
  } catch (error) {
    const problem =
      problemOf(error as LibraryError, text) ?? 'the library cannot read the expression'
    throw new CelError(problem, (error as LibraryError).range?.start ?? 0)
  }
}

/**
 * For one text, 13 µs: an environment keeps each name that was ever called as a function, for ever. One with a function of
 * its own keeps them in a table of its own (`test/where/leftovers.test.ts`).
 */
function ownEnvironment(): Environment {
  library ??= createRequire(import.meta.url)(LIBRARY) as Library
  return new library.Environment(OPTIONS).registerFunction('ownTable(): bool', () => true)
}

const OPTIONS = { limits: { maxDepth: 64, maxCallArguments: 8 } } as const

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
      return 'the first argument must be a name of your own, as in files.exists(f, f == "README")'
    case 'limit_exceeded':
      return TOO_DEEP
    default:
      return `${summary.charAt(0).toLowerCase()}${summary.slice(1)}`
  }
}

const TOO_DEEP = 'the expression is too deeply nested, or has too many elements or arguments'

/** Sums of 4,096 characters, the longest text that can be allowed; only negations of negations are deeper. */
const DEPTH_MAX = 2_100

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
export const MACROS: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'filter', 'map'])

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

function refuseUnserved(node: ASTNode, text: string, depthMax: number): void {
  if (depthMax === 0) throw new CelError(TOO_DEEP, node.start)
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
    if (name.startsWith('get') && args.length > 0)
      throw new CelError(`${name}() takes no time zone here: times are UTC`, start)
  }
  for (const child of childrenOf(node)) refuseUnserved(child, text, depthMax - 1)
}

/** How many nodes a tree has, itself included. */
export function nodesIn(node: ASTNode): number {
  return childrenOf(node).reduce((sum, child) => sum + nodesIn(child), 1)
}

export function childrenOf(node: ASTNode): readonly ASTNode[] {
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
