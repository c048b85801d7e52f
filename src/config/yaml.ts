import {
  EVENT_ID,
  SCALAR_STYLE,
  YAMLException,
  getScalarValue,
  parseEvents,
  type Event,
  type MappingEvent,
  type ScalarEvent,
  type SequenceEvent,
} from 'js-yaml'
import { ConfigError } from '../settings/config-error.ts'
import type { Spot, YamlEntry, YamlList, YamlMap, YamlNode } from '../settings/yaml-node.ts'

/** Maps and lists within each other. Our files need 6. */
const DEPTH_MAX = 64

/**
 * Keys, values, maps and lists in a file once its aliases are followed; 100,000 users need 1,700,000. It bounds every
 * walk over the tree: a few lines of aliases that name each other could stand for more entries than there are atoms.
 */
const ENTRIES_MAX = 4_000_000

/** A key given again in the same map. The last one counts. */
interface DuplicateKey {
  readonly key: string
  readonly line: number
  readonly firstLine: number
  /** 1 in the outermost map. */
  readonly depth: number
}

interface YamlDocument {
  /** A scalar `null` when the file is empty or holds only comments. */
  readonly root: YamlNode
  readonly duplicateKeys: readonly DuplicateKey[]
}

/** @throws {ConfigError} with file, line and column. It repeats nothing of the text, where passwords may stand. */
export function parseYaml(text: string, file: string): YamlDocument {
  let events: Event[]
  try {
    events = parseEvents(text, { maxDepth: DEPTH_MAX })
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error
    const { line = 0, column = 0 } = error.mark ?? {}
    throw yamlError(file, line + 1, column + 1, withoutQuotation(error.reason))
  }
  return new TreeBuilder(text, file).build(events)
}

function yamlError(file: string, line: number, column: number, problem: string): ConfigError {
  return new ConfigError(`${file}, line ${line}, column ${column}: ${problem}`)
}

/** What the parser says about a tag repeats it, and an unquoted password may look like one. */
function withoutQuotation(reason: string): string {
  if (/\btag\b/.test(reason)) return TAG_REFUSED
  if (reason.startsWith('nesting exceeded'))
    return `maps and lists are nested deeper than ${DEPTH_MAX}`
  return `this is not valid YAML: ${reason}`
}

const TAG_REFUSED = 'this tag is not supported (text that begins with ! must be quoted)'

/** Tags that may stand before a scalar, and whether it can then be `null`. Numbers stay text as written. */
const SCALAR_TAGS: ReadonlyMap<string, 'text' | 'null'> = new Map([
  ['!', 'text'],
  ['!!str', 'text'],
  ['!!int', 'text'],
  ['!!float', 'text'],
  ['!!bool', 'text'],
  ['!!null', 'null'],
])

const NULLS: ReadonlySet<string> = new Set(['', '~', 'null', 'Null', 'NULL'])

/** A map or list whose end has not come yet. */
interface Frame {
  readonly node: OpenList | OpenMap
  readonly anchor: string | null
  readonly entriesBefore: number
  /** In a map: read, and its value not yet. */
  key: Key | null
  /** Maps to merge in; a later one wins. */
  readonly merges: YamlMap[]
}

type OpenList = YamlList & { readonly items: YamlNode[] }
type OpenMap = YamlMap & { readonly entries: Map<string, YamlEntry> }

interface Key extends Spot {
  readonly text: string
  readonly isMerge: boolean
}

/** Something an alias can stand for. `null`: it has not ended yet. */
type Anchored = { readonly node: YamlNode; readonly entries: number } | null

class TreeBuilder {
  readonly #text: string
  readonly #file: string
  readonly #frames: Frame[] = []
  readonly #anchors = new Map<string, Anchored>()
  readonly #duplicateKeys: DuplicateKey[] = []
  #root: YamlNode | null = null
  #documents = 0
  /** So far, aliases followed. */
  #entries = 0
  /** Where the event in hand begins. Events come in the order of the text. */
  #offset = 0
  #line = 1
  #lineStart = 0
  #nextLineStart: number

  constructor(text: string, file: string) {
    this.#text = text
    this.#file = file
    this.#nextLineStart = lineStartAfter(text, 0)
  }

  build(events: readonly Event[]): YamlDocument {
    for (const event of events) {
      this.#moveTo(event)
      switch (event.type) {
        case EVENT_ID.DOCUMENT:
          if (++this.#documents > 1)
            this.#refuse('a second document follows (a line --- may only stand at the top)')
          break
        case EVENT_ID.SCALAR:
          this.#addScalar(event)
          break
        case EVENT_ID.SEQUENCE:
          this.#open(event, '!!seq', { type: 'list', items: [], ...this.#spot })
          break
        case EVENT_ID.MAPPING:
          this.#open(event, '!!map', { type: 'map', entries: new Map(), ...this.#spot })
          break
        case EVENT_ID.ALIAS:
          this.#addAlias(this.#slice(event.anchorStart, event.anchorEnd) ?? '')
          break
        case EVENT_ID.POP:
          this.#close()
          break
      }
    }
    const root = this.#root ?? { type: 'scalar', text: null, line: 1, column: 1 }
    return { root, duplicateKeys: this.#duplicateKeys }
  }

  #addScalar(event: ScalarEvent): void {
    this.#count(1)
    const written = getScalarValue(this.#text, event)
    const tag = this.#slice(event.tagStart, event.tagEnd)
    const isPlain = tag === null && event.style === SCALAR_STYLE.PLAIN
    const meaning = tag === null ? 'text' : SCALAR_TAGS.get(tag)
    if (meaning === undefined) this.#refuse(TAG_REFUSED)
    const isNull = meaning === 'null' || (isPlain && NULLS.has(written))
    const node: YamlNode = { type: 'scalar', text: isNull ? null : written, ...this.#spot }
    const anchor = this.#slice(event.anchorStart, event.anchorEnd)
    if (anchor !== null) this.#anchors.set(anchor, { node, entries: 1 })
    // As a key, `null` is a name like any other; only nothing at all is none.
    this.#add(node, isPlain && written === '' ? null : written, isPlain && written === '<<')
  }

  #addAlias(name: string): void {
    const anchored = this.#anchors.get(name)
    if (anchored === undefined)
      this.#refuse('this alias has no anchor before it (text that begins with * must be quoted)')
    if (anchored === null) this.#refuse('this alias stands inside the very value it stands for')
    this.#count(anchored.entries)
    this.#add(anchored.node, anchored.node.type === 'scalar' ? anchored.node.text : null, false)
  }

  #open(event: SequenceEvent | MappingEvent, ownTag: string, node: OpenList | OpenMap): void {
    const tag = this.#slice(event.tagStart, event.tagEnd)
    if (tag !== null && tag !== '!' && tag !== ownTag) this.#refuse(TAG_REFUSED)
    const anchor = this.#slice(event.anchorStart, event.anchorEnd)
    if (anchor !== null) this.#anchors.set(anchor, null)
    this.#frames.push({ node, anchor, entriesBefore: this.#entries, key: null, merges: [] })
    this.#count(1)
  }

  #close(): void {
    const frame = this.#frames.pop()
    if (frame === undefined) return // the document's own end
    const { node, anchor, entriesBefore, merges } = frame
    if (node.type === 'map')
      for (const source of merges.toReversed())
        for (const [key, entry] of source.entries)
          if (!node.entries.has(key)) node.entries.set(key, entry)
    if (anchor !== null) this.#anchors.set(anchor, { node, entries: this.#entries - entriesBefore })
    this.#add(node, null, false)
  }

  /** `keyText`: what the node says where it is a key; `null` where it cannot be one. */
  #add(node: YamlNode, keyText: string | null, isMerge: boolean): void {
    const frame = this.#frames.at(-1)
    if (frame === undefined) this.#root = node
    else if (frame.node.type === 'list') frame.node.items.push(node)
    else if (frame.key === null) {
      if (keyText === null) this.#refuse('a key must be text (write "" for an empty one)')
      frame.key = { text: keyText, ...this.#spot, isMerge }
    } else {
      const { key } = frame
      frame.key = null
      if (key.isMerge) this.#addMerge(frame.merges, node)
      else this.#addEntry(frame.node, key, node)
    }
  }

  #addEntry(map: OpenMap, { text, line, column }: Key, value: YamlNode): void {
    const firstLine = map.entries.get(text)?.line
    if (firstLine !== undefined)
      this.#duplicateKeys.push({ key: text, line, firstLine, depth: this.#frames.length })
    map.entries.set(text, { line, column, value })
  }

  /** The earlier maps of a list win, and the last of several `<<` in one map. */
  #addMerge(merges: YamlMap[], node: YamlNode): void {
    for (const source of node.type === 'list' ? node.items.toReversed() : [node]) {
      if (source.type !== 'map') this.#refuse('<< can only merge a map or a list of maps')
      merges.push(source)
    }
  }

  #count(entries: number): void {
    this.#entries += entries
    if (this.#entries > ENTRIES_MAX)
      this.#refuse(`the file has more than ${ENTRIES_MAX} entries once its aliases are followed`)
  }

  #slice(start: number, end: number): string | null {
    return start < 0 ? null : this.#text.slice(start, end)
  }

  #moveTo(event: Event): void {
    this.#offset = Math.max(this.#offset, offsetOf(event))
    while (this.#offset >= this.#nextLineStart) {
      this.#line++
      this.#lineStart = this.#nextLineStart
      this.#nextLineStart = lineStartAfter(this.#text, this.#lineStart)
    }
  }

  /** Where the event in hand begins. */
  get #spot(): Spot {
    return { line: this.#line, column: this.#offset - this.#lineStart + 1 }
  }

  #refuse(problem: string): never {
    const { line, column } = this.#spot
    throw yamlError(this.#file, line, column, problem)
  }
}

/** Where the text of an event begins; -1 when it has none of its own. */
function offsetOf(event: Event): number {
  if (event.type === EVENT_ID.SCALAR)
    return event.valueStart < 0 ? event.anchorStart : event.valueStart
  if (event.type === EVENT_ID.ALIAS) return event.anchorStart
  return 'start' in event ? event.start : -1
}

function lineStartAfter(text: string, lineStart: number): number {
  const lineBreak = /\r\n?|\n/g
  lineBreak.lastIndex = lineStart
  return lineBreak.test(text) ? lineBreak.lastIndex : Infinity
}
