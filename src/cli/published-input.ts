import { LineSplitter } from '../client/line-splitter.ts'

/** A JSON object to publish. */
export interface InputObject {
  readonly text: string
  /** Where it stands in the input, from 1. */
  readonly line: number
}

/**
 * The objects of an input: one on each line, or a single one over many lines. Their text is left as it is.
 * @throws {Error} naming the line that is none.
 */
export async function* inputObjects(input: AsyncIterable<Buffer>): AsyncGenerator<InputObject> {
  const splitter = new LineSplitter(OBJECT_BYTES_MAX)
  const lines = new ObjectLines()
  for await (const chunk of input) {
    const objects: InputObject[] = []
    try {
      for (const text of splitter.lines(chunk)) objects.push(...lines.take(text))
    } catch (error) {
      yield* objects // what stands before the wrong line is published
      throw lines.place(error)
    }
    yield* objects
  }
  try {
    yield* lines.take(splitter.end())
  } catch (error) {
    throw lines.place(error)
  }
  yield* lines.end()
}

/** The server takes 64 MiB at most, in bytes. */
const OBJECT_BYTES_MAX = 64 * 1024 * 1024

class ObjectLines {
  /** That which is looked at, or that could not even be split off. */
  #line = 1
  /** The lines of an object that goes on over many; `null`: each line has one. */
  #document: { readonly line: number; readonly texts: string[]; bytes: number } | null = null
  #isFirst = true

  place(error: unknown): Error {
    return new Error(`line ${this.#line}: ${(error as Error).message}`, { cause: error })
  }

  *take(written: string): Generator<InputObject> {
    yield* this.#objectsOn(written)
    this.#line++
  }

  *end(): Generator<InputObject> {
    if (this.#document === null) return
    const { line, texts } = this.#document
    const text = texts.join('\n').trim()
    const problem = whyNoObject(text)
    if (problem !== null)
      throw new Error(
        `line ${line}: ${problem}; an object may stand on a line, or be the whole input`,
      )
    yield { text, line }
  }

  *#objectsOn(written: string): Generator<InputObject> {
    const text = written.trim()
    if (this.#document !== null) {
      this.#goOn(written)
      return
    }
    if (text === '') return
    const problem = whyNoObject(text)
    // The first line decides: what begins an object and does not end it goes on.
    if (problem !== null && this.#isFirst && text.startsWith('{')) {
      this.#document = { line: this.#line, texts: [], bytes: 0 }
      this.#goOn(written)
      return
    }
    if (problem !== null) throw new Error(problem)
    this.#isFirst = false
    yield { text, line: this.#line }
  }

  #goOn(text: string): void {
    const document = this.#document!
    document.bytes += text.length
    if (document.bytes > OBJECT_BYTES_MAX)
      throw new Error(`an object has more than ${OBJECT_BYTES_MAX} bytes`)
    document.texts.push(text)
  }
}

/** `null`: it is one. */
function whyNoObject(text: string): string | null {
  try {
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? null : 'this is JSON, but not an object, {…}'
  } catch (error) {
    return `this is not a JSON object: ${(error as Error).message.slice(0, 120)}`
  }
}
