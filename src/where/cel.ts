import { ARITHMETIC } from './arithmetic.ts'
import { FUNCTIONS, METHODS, TYPES, type ServedFunction } from './functions.ts'
import { Meter } from './meter.ts'
import {
  common,
  DURATION,
  mayBe,
  TIMESTAMP,
  typeOfBinary,
  type StaticType,
} from './static-types.ts'
import { CelError, childrenOf, MACROS, nodesIn, parse, type ASTNode } from './syntax.ts'
import {
  CHARACTERS_PER_STEP,
  compare,
  elementOf,
  isEqual,
  isIn,
  isList,
  isMap,
  keysOf,
  memberOf,
  type Value,
} from './values.ts'

/*
 * CEL, read by @marcbachmann/cel-js and evaluated by functions that are made of its syntax tree once, count their own work
 * and keep nothing (docs/decisions/0012-cel.md). A value that is `undefined` is one that cannot be evaluated: a member is
 * missing, something is of another type, or the steps are used up. So the usual case, an event without the member that is
 * asked for, costs no exception.
 */

/** What an expression is asked about: its variables by their names, without a prototype. */
export type Variables = Readonly<Record<string, unknown>>

/** A checked expression. */
export interface Program {
  /** Never throws. Steps take about 50 ns each. */
  evaluate(variables: Variables, stepsMax: number): Outcome
}

/** `failed`: a member was missing, a value was of another type, or the work exceeded the limit. */
export type Outcome = 'true' | 'false' | 'failed'

/** @throws {CelError} what is wrong, and where. */
export function compile(text: string): Program {
  const { type, evaluate } = compiled(text)
  if (!mayBe(type, 'bool'))
    throw new CelError(`the expression is of the type ${type}, and must be true or false`, 0)
  return {
    evaluate(variables, stepsMax) {
      onlyRun.variables = variables as Run['variables']
      onlyRun.stepsLeft = stepsMax
      try {
        const result = evaluate(onlyRun)
        if (onlyRun.stepsLeft < 0 || typeof result !== 'boolean') return 'failed'
        return result ? 'true' : 'false'
      } catch {
        return 'failed' // the stack was too small for a payload, or for the expression
      }
    },
  }
}

function compiled(text: string): Compiled {
  try {
    return compileNode(parse(text), [])
  } catch (error) {
    if (error instanceof CelError) throw error
    throw new CelError('the expression is too deeply nested', 0) // for the stack that is left
  }
}

/** One evaluation. */
class Run extends Meter {
  variables: Readonly<Record<string, Value>> = NOTHING
  /** The elements that the loops under way are at, by depth. */
  readonly elements: Value[] = []
}

const NOTHING: Readonly<Record<string, Value>> = Object.freeze(Object.create(null))

/** One for all, as no evaluation calls another one: so the expressions hold no payloads. */
const onlyRun = new Run()

type Evaluate = (run: Run) => Value | undefined

interface Compiled {
  readonly type: StaticType
  readonly evaluate: Evaluate
  /** Known before there is an event. */
  readonly constant?: Value
}

/** Names of the elements of the loops around a node, the outermost first. */
type Scope = readonly string[]

function compileNode(node: ASTNode, scope: Scope): Compiled {
  switch (node.op) {
    case 'value':
      return compileLiteral(node)
    case 'id':
      return compileName(node.args, scope)
    case '.':
      return compileMember(node, scope)
    case '[]':
      return compileElement(node, scope)
    case 'list':
      return compileList(node.args.map((element) => compileNode(element, scope)))
    case 'map':
      return compileMap(
        node.args.map(([key, value]) => [compileNode(key, scope), compileNode(value, scope)]),
      )
    case '!_':
    case '-_':
      return compileUnary(node, scope)
    case '&&':
    case '||':
      return compileLogical(node, scope)
    case '?:':
      return compileChoice(node, scope)
    case 'call':
      return node.args[0] === 'has' ? compileHas(node, scope) : compileCall(node, scope)
    case 'rcall':
      return isLoop(node) ? compileLoop(node, scope) : compileMethod(node, scope)
    case '.?':
    case '[?]':
      throw new CelError('there are no optional values here', node.pos)
    default:
      return compileBinary(node, scope)
  }
}

type Node<Operator extends ASTNode['op']> = ASTNode & { readonly op: Operator }

function constant(type: StaticType, value: Value): Compiled {
  return { type, evaluate: () => value, constant: value }
}

function compileLiteral({ args: value, pos }: Node<'value'>): Compiled {
  switch (typeof value) {
    case 'string':
      return constant('string', value)
    case 'number':
      return constant('double', value)
    case 'bigint':
      return constant('int', value)
    case 'boolean':
      return constant('bool', value)
    default:
      if (value === null) return constant('null', null)
      if (value instanceof Uint8Array)
        throw new CelError('there are no bytes in an event: write a text, without the b', pos)
      // Nothing in an event is unsigned, and an int is compared by value as well.
      return constant('int', value.value)
  }
}

function compileName(name: string, scope: Scope): Compiled {
  const depth = scope.lastIndexOf(name)
  if (depth >= 0) return { type: 'dyn', evaluate: (run) => run.elements[depth] }
  const type = TYPES.get(name)
  if (type !== undefined) return constant('type', type)
  return { type: 'dyn', evaluate: (run) => run.variables[name] }
}

function compileMember(node: Node<'.'>, scope: Scope): Compiled {
  const [ownerNode, name] = node.args
  const path = pathOf(node)
  const type = path !== null && !scope.includes(path[0]!) ? TYPES.get(path.join('.')) : undefined
  if (type !== undefined) return constant('dyn', type)
  const owner = compileNode(ownerNode, scope)
  refuseIndex(owner.type, 'string', node)
  const ofOwner = owner.evaluate
  return { type: 'dyn', evaluate: (run) => memberOf(ofOwner(run), name) }
}

/** `commit.author` as its names; `null`: not a member of a member of a variable. */
function pathOf(node: ASTNode): readonly string[] | null {
  if (node.op === 'id') return [node.args]
  if (node.op !== '.') return null
  const owner = pathOf(node.args[0])
  return owner === null ? null : [...owner, node.args[1]]
}

function compileElement(node: Node<'[]'>, scope: Scope): Compiled {
  const [owner, index] = node.args.map((part) => compileNode(part, scope)) as [Compiled, Compiled]
  refuseIndex(owner.type, index.type, node)
  const [ofOwner, ofIndex] = [owner.evaluate, index.evaluate]
  return {
    type: 'dyn',
    evaluate(run) {
      const where = ofOwner(run)
      const at = ofIndex(run)
      return where === undefined || at === undefined ? undefined : elementOf(run, where, at)
    },
  }
}

/** @throws {CelError} no value of this type has anything by an index of that type. */
function refuseIndex(owner: StaticType, index: StaticType, node: ASTNode): void {
  if (INDEXED.has(owner) || (owner === 'list' && mayBe(index, 'int'))) return
  const problem =
    owner === 'list' ? `list index must be int, got '${index}'` : `cannot index type '${owner}'`
  throw new CelError(`${problem}${hintFor(node)}`, node.pos)
}

/** Timestamps, durations and types are messages in CEL, which may have members; here none has any. */
const INDEXED: ReadonlySet<StaticType> = new Set(['dyn', 'map', 'type', TIMESTAMP, DURATION])

function compileList(elements: readonly Compiled[]): Compiled {
  if (elements.every((element) => element.constant !== undefined))
    return constant(
      'list',
      elements.map((element) => element.constant!),
    )
  const evaluates = elements.map((element) => element.evaluate)
  return {
    type: 'list',
    evaluate(run) {
      const list: Value[] = []
      for (const evaluate of evaluates) {
        const value = evaluate(run)
        if (value === undefined) return undefined
        list.push(value)
      }
      return list
    },
  }
}

function compileMap(entries: readonly (readonly [Compiled, Compiled])[]): Compiled {
  const evaluates = entries.map(([key, value]) => [key.evaluate, value.evaluate] as const)
  return {
    type: 'map',
    evaluate(run) {
      const map: Record<string, Value> = Object.create(null)
      if (!run.spend(2 * evaluates.length)) return undefined
      for (const [ofKey, ofValue] of evaluates) {
        const key = ofKey(run)
        const value = ofValue(run)
        if (key === undefined || value === undefined) return undefined
        if (typeof key === 'object' || !run.spend(lengthOf(key) / 32)) return undefined
        map[String(key)] = value
      }
      return map
    },
  }
}

function lengthOf(key: Value): number {
  return typeof key === 'string' ? key.length : 0
}

function compileUnary(node: Node<'!_'> | Node<'-_'>, scope: Scope): Compiled {
  const { type, evaluate, constant: known } = compileNode(node.args, scope)
  if (node.op === '!_') {
    if (!mayBe(type, 'bool')) throw noOverload(`!${type}`, node)
    return {
      type: 'bool',
      evaluate(run) {
        const value = evaluate(run)
        return typeof value === 'boolean' ? !value : undefined
      },
    }
  }
  if (!mayBe(type, 'int') && !mayBe(type, 'double')) throw noOverload(`-${type}`, node)
  if (known !== undefined) return constant(type, negated(known)!)
  return { type, evaluate: (run) => negated(evaluate(run)) }
}

function negated(value: Value | undefined): Value | undefined {
  return typeof value === 'number' || typeof value === 'bigint' ? -value : undefined
}

/** What decides is enough: the other side may be anything. */
function compileLogical(node: Node<'&&'> | Node<'||'>, scope: Scope): Compiled {
  const decisive = node.op === '||'
  const left = compileNode(node.args[0], scope)
  const right = compileNode(node.args[1], scope)
  for (const { type } of [left, right])
    if (!mayBe(type, 'bool'))
      throw new CelError(
        `logical operator requires bool operands, got '${type}'${hintFor(node)}`,
        node.pos,
      )
  return { type: 'bool', evaluate: evaluateLogical(decisive, left.evaluate, right.evaluate) }
}

function evaluateLogical(decisive: boolean, one: Evaluate, other: Evaluate): Evaluate {
  return (run) => {
    const left = one(run)
    if (left === decisive) return decisive
    const right = other(run)
    if (right === decisive) return decisive
    return left === !decisive && right === !decisive ? !decisive : undefined
  }
}

function compileChoice({ args, pos }: Node<'?:'>, scope: Scope): Compiled {
  const [condition, one, other] = args.map((part) => compileNode(part, scope)) as [
    Compiled,
    Compiled,
    Compiled,
  ]
  if (!mayBe(condition.type, 'bool'))
    throw new CelError(`ternary condition must be bool, got '${condition.type}'`, args[0].pos)
  const type = common(one.type, other.type)
  if (type === null)
    throw new CelError(
      `ternary branches must have the same type, got '${one.type}' and '${other.type}'`,
      pos,
    )
  const [ofCondition, ifTrue, ifFalse] = [condition.evaluate, one.evaluate, other.evaluate]
  return {
    type,
    evaluate(run) {
      const is = ofCondition(run)
      if (is === true) return ifTrue(run)
      return is === false ? ifFalse(run) : undefined
    },
  }
}

function compileBinary(node: BinaryNode, scope: Scope): Compiled {
  // A long sum is as deep as it is long, so the stack holds as little for each side as can be.
  const left = compileNode(node.args[0], scope)
  const right = compileNode(node.args[1], scope)
  const type = typeOfBinary(node.op, left.type, right.type)
  if (type === null) throw noOverload(`${left.type} ${node.op} ${right.type}`, node)
  return { type, evaluate: evaluateBinary(node.op, left, right) }
}

type BinaryNode = Node<'==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | '+' | '-' | '*' | '/' | '%'>

function evaluateBinary(operator: BinaryNode['op'], left: Compiled, right: Compiled): Evaluate {
  switch (operator) {
    case '==':
    case '!=':
      return evaluateEquality(operator === '==', left, right)
    case '<':
      return evaluateOrder(left, right, (one, other) => one < other)
    case '<=':
      return evaluateOrder(left, right, (one, other) => one <= other)
    case '>':
      return evaluateOrder(left, right, (one, other) => one > other)
    case '>=':
      return evaluateOrder(left, right, (one, other) => one >= other)
    case 'in':
      return evaluateIn(left, right)
    default: {
      const calculate = ARITHMETIC[operator]!
      return ofBoth(left, right, (run, one, other) => calculate(run, one, other))
    }
  }
}

function ofBoth(
  left: Compiled,
  right: Compiled,
  evaluate: (run: Run, left: Value, right: Value) => Value | undefined,
): Evaluate {
  const [ofLeft, ofRight] = [left.evaluate, right.evaluate]
  return (run) => {
    const one = ofLeft(run)
    if (one === undefined) return undefined
    const other = ofRight(run)
    return other === undefined ? undefined : evaluate(run, one, other)
  }
}

function evaluateEquality(wanted: boolean, left: Compiled, right: Compiled): Evaluate {
  const known = right.constant
  // Most filters ask nothing else. A literal is short, and longer values are not looked at.
  if (typeof known === 'string' && known.length <= CHARACTERS_PER_STEP) {
    const ofLeft = left.evaluate
    return (run) => {
      const value = ofLeft(run)
      return value === undefined ? undefined : (value === known) === wanted
    }
  }
  const number = asDouble(known)
  return ofBoth(left, right, (run, one, other) => {
    if (number !== undefined && typeof one === 'number') return (one === number) === wanted
    const equal = isEqual(run, one, other)
    return equal === undefined ? undefined : equal === wanted
  })
}

function evaluateOrder(
  left: Compiled,
  right: Compiled,
  decide: (one: number, other: number) => boolean,
): Evaluate {
  const known = asDouble(right.constant)
  return ofBoth(left, right, (run, one, other) => {
    if (known !== undefined && typeof one === 'number') return decide(one, known)
    const order = compare(run, one, other)
    return order === undefined ? undefined : decide(order, 0)
  })
}

/** The double of a literal. `undefined`: it is no number, or no double has just its value. */
function asDouble(known: Value | undefined): number | undefined {
  if (typeof known === 'number') return known
  return typeof known === 'bigint' && Number.isSafeInteger(Number(known))
    ? Number(known)
    : undefined
}

function evaluateIn(left: Compiled, right: Compiled): Evaluate {
  const known = right.constant
  if (!isList(known) || known.some((element) => typeof element === 'object' && element !== null))
    return ofBoth(left, right, isIn)
  // Its elements are nodes of the expression, and each turn of a loop pays for those.
  const free = new Meter()
  free.stepsLeft = Infinity
  const texts = new Set(known.filter((element) => typeof element === 'string'))
  const lengthMax = Math.max(0, ...[...texts].map((text) => text.length))
  const others = known.filter((element) => typeof element !== 'string')
  const ofLeft = left.evaluate
  return (run) => {
    const value = ofLeft(run)
    if (typeof value === 'string') return value.length <= lengthMax && texts.has(value)
    return value === undefined ? undefined : isIn(free, value, others)
  }
}

/** Whether a member is there, whose owner must be. */
function compileHas(node: Node<'call'>, scope: Scope): Compiled {
  const [, args] = node.args
  if (args.length !== 1) throw noCall(node, `has(${typesOf(args.map(() => 'dyn'))})`)
  const [member] = args as [ASTNode]
  const root = rootOf(member)
  if (member.op !== '.' || root.op !== 'id')
    throw new CelError('has() takes a member, such as has(event.commit)', root.pos)
  const [ownerNode, name] = member.args
  const { evaluate } = compileNode(ownerNode, scope)
  return {
    type: 'bool',
    evaluate(run) {
      const owner = evaluate(run)
      return owner === undefined ? undefined : memberOf(owner, name) !== undefined
    },
  }
}

function rootOf(node: ASTNode): ASTNode {
  return node.op === '.' ? rootOf(node.args[0]) : node
}

function compileCall(node: Node<'call'>, scope: Scope): Compiled {
  const [name, args] = node.args
  const values = args.map((arg) => compileNode(arg, scope))
  const types = values.map(({ type }) => type)
  const served = FUNCTIONS[name]!
  const [value] = values
  if (value === undefined || values.length > 1 || !takes(served.takes, value.type))
    throw noCall(node, `${name}(${typesOf(types)})`)
  return evaluateCall(served, value, NO_VALUE)
}

function compileMethod(node: Node<'rcall'>, scope: Scope): Compiled {
  const [name, receiverNode, args] = node.args
  const receiver = compileNode(receiverNode, scope)
  const values = args.map((arg) => compileNode(arg, scope))
  const types = values.map(({ type }) => type)
  const served = METHODS[name]
  const [other = NO_VALUE] = values
  if (
    served === undefined ||
    values.length !== (served.takesAlso === undefined ? 0 : 1) ||
    !takes(served.takes, receiver.type) ||
    // Whether a receiver of any type fits is seen when there is one.
    (receiver.type !== 'dyn' && served.takesAlso && !takes(served.takesAlso, other.type))
  )
    throw noCall(node, `${receiver.type}.${name}(${typesOf(types)})`)
  return evaluateCall(served, receiver, other)
}

/** Stands where a function takes nothing. */
const NO_VALUE = constant('null', null)

function takes(types: readonly StaticType[], type: StaticType): boolean {
  return types.some((taken) => mayBe(type, taken))
}

function typesOf(types: readonly StaticType[]): string {
  return types.join(', ')
}

function evaluateCall(
  { returns, call }: ServedFunction,
  value: Compiled,
  other: Compiled,
): Compiled {
  return { type: returns, evaluate: ofBoth(value, other, call) }
}

function isLoop({ args: [name, , args] }: Node<'rcall'>): boolean {
  return MACROS.has(name) && (args.length === 2 || (name === 'map' && args.length === 3))
}

/** Each turn costs as many steps as its body has nodes. */
function compileLoop(node: Node<'rcall'>, scope: Scope): Compiled {
  const [name, listNode, args] = node.args
  const list = compileNode(listNode, scope)
  if (!mayBe(list.type, 'list') && !mayBe(list.type, 'map'))
    throw new CelError(
      `expression of type '${list.type}' cannot be range of a comprehension (must be list, map, or dynamic)`,
      listNode.pos,
    )
  const [variable, ...bodies] = args
  const inner = [...scope, (variable as Node<'id'>).args]
  const [body, other] = bodies.map((each) => compileNode(each, inner)) as [Compiled, Compiled?]
  const isPredicate = name !== 'map' || other !== undefined
  if (isPredicate && !mayBe(body.type, 'bool'))
    throw new CelError(
      `${name}(${PARAMETERS[bodies.length - 1]}) predicate must return bool, got '${body.type}'`,
      bodies[0]!.pos,
    )
  const stepsPerTurn = 1 + args.reduce((sum, arg) => sum + nodesIn(arg), 0)
  const loop: Loop = { ofList: list.evaluate, depth: scope.length, stepsPerTurn }
  switch (name) {
    case 'all':
    case 'exists':
      return { type: 'bool', evaluate: evaluateQuantifier(loop, body.evaluate, name === 'exists') }
    case 'exists_one':
      return { type: 'bool', evaluate: evaluateExistsOne(loop, body.evaluate) }
    case 'filter':
      return { type: 'list', evaluate: evaluateMap(loop, body.evaluate, null) }
    default:
      return {
        type: 'list',
        evaluate:
          other === undefined
            ? evaluateMap(loop, null, body.evaluate)
            : evaluateMap(loop, body.evaluate, other.evaluate),
      }
  }
}

/** What stands in the parentheses of a loop with so many bodies. */
const PARAMETERS = ['var, predicate', 'var, filter, transform'] as const

interface Loop {
  readonly ofList: Evaluate
  /** Where its element is among those of the loops around it. */
  readonly depth: number
  readonly stepsPerTurn: number
}

/** What a loop runs through: the elements of a list, or the names in a map. `undefined`: nothing. */
function elementsFor({ ofList }: Loop, run: Run): readonly Value[] | undefined {
  const list = ofList(run)
  if (isList(list)) return list
  if (!isMap(list)) return undefined
  const keys = keysOf(list)
  return run.spend(keys.length) ? keys : undefined
}

/** One that decides is enough, also if others cannot be evaluated. */
function evaluateQuantifier(loop: Loop, body: Evaluate, decisive: boolean): Evaluate {
  const { depth, stepsPerTurn } = loop
  return (run) => {
    const elements = elementsFor(loop, run)
    if (elements === undefined) return undefined
    let hasFailed = false
    for (const element of elements) {
      if (!run.spend(stepsPerTurn)) return undefined
      run.elements[depth] = element
      const result = body(run)
      if (result === decisive) return decisive
      if (result !== !decisive) hasFailed = true
    }
    return hasFailed ? undefined : !decisive
  }
}

function evaluateExistsOne(loop: Loop, body: Evaluate): Evaluate {
  const { depth, stepsPerTurn } = loop
  return (run) => {
    const elements = elementsFor(loop, run)
    if (elements === undefined) return undefined
    let count = 0
    for (const element of elements) {
      if (!run.spend(stepsPerTurn)) return undefined
      run.elements[depth] = element
      const result = body(run)
      if (typeof result !== 'boolean') return undefined
      if (result) count++
    }
    return count === 1
  }
}

/** Those for which `isWanted` (`null`: all), each as what `transform` makes of it (`null`: as it is). */
function evaluateMap(loop: Loop, isWanted: Evaluate | null, transform: Evaluate | null): Evaluate {
  const { depth, stepsPerTurn } = loop
  return (run) => {
    const elements = elementsFor(loop, run)
    if (elements === undefined) return undefined
    const made: Value[] = []
    for (const element of elements) {
      if (!run.spend(stepsPerTurn)) return undefined
      run.elements[depth] = element
      const wanted = isWanted === null || isWanted(run)
      if (typeof wanted !== 'boolean') return undefined
      if (!wanted) continue
      const value = transform === null ? element : transform(run)
      if (value === undefined) return undefined
      made.push(value)
    }
    return made
  }
}

function noOverload(what: string, node: ASTNode): CelError {
  return new CelError(`no such overload: ${what}${hintFor(node)}`, node.pos)
}

function noCall(node: ASTNode, what: string): CelError {
  return new CelError(`found no matching overload for '${what}'${hintFor(node)}`, node.pos)
}

/** A payload may have a member `type`, and the name alone is CEL's. */
function hintFor(node: ASTNode): string {
  const name = typeNameIn(node)
  return name === null
    ? ''
    : ` (${name} is a name of the language: write event.${name} for the member of the payload)`
}

function typeNameIn(node: ASTNode): string | null {
  if (node.op === 'id') return TYPES.has(node.args) ? node.args : null
  for (const child of childrenOf(node)) {
    const name = typeNameIn(child)
    if (name !== null) return name
  }
  return null
}
