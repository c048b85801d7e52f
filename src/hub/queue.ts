/** First in, first out. An array's `shift` moves all the others, once there are many. */
export class Queue<T> {
  #items: (T | undefined)[] = []
  /** Those before it have been taken. */
  #first = 0

  push(item: T): void {
    this.#items.push(item)
  }

  get isEmpty(): boolean {
    return this.#first === this.#items.length
  }

  shift(): T | undefined {
    if (this.isEmpty) return undefined
    const item = this.#items[this.#first]
    this.#items[this.#first++] = undefined
    if (this.isEmpty || this.#first >= CUT_AT) {
      this.#items = this.#items.slice(this.#first)
      this.#first = 0
    }
    return item
  }
}

const CUT_AT = 4_096
