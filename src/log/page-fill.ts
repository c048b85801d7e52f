/**
 * Says when a page of the log has enough. Pages are encoded once for all who stand at one place, so readers that come
 * from different places have to meet: from half the size on, a page ends where a block of rows ends that is about as
 * long. Without that, 500 readers within 100 events of each other took 29 s instead of 1 (bench/replay.ts).
 */
export class PageFill {
  readonly #after: number
  readonly #bytesMax: number
  #bytes = 0
  #last: number
  /** Rows in a block: a power of two, so that different readers choose the same or one within the other. */
  #block = 0
  isFull = false

  /** Twice as many rows would not have been too many. */
  get isLessThanHalf(): boolean {
    return this.#bytes * 2 < this.#bytesMax
  }

  constructor(after: number, bytesMax: number) {
    this.#after = after
    this.#last = after
    this.#bytesMax = bytesMax
  }

  /** An event, by its row and the bytes that it counts for. */
  add(row: number, bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes * 2 >= this.#bytesMax) {
      this.#block ||= 2 ** Math.ceil(Math.log2(row - this.#after))
      const beginsBlock = Math.floor(row / this.#block) > Math.floor(this.#last / this.#block)
      this.isFull = beginsBlock || this.#bytes >= this.#bytesMax
    }
    this.#last = row
  }
}
