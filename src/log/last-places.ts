/** The last place of each path, among those that were set in ascending order of places. */
export class LastPlaces {
  readonly #places = new Map<string, number>()
  /** What lies behind this has not been looked at. */
  until = 0

  set(path: string, place: number): void {
    // In the order of places, so that the oldest are found first.
    this.#places.delete(path)
    this.#places.set(path, place)
    this.until = place
  }

  get(path: string): number | undefined {
    return this.#places.get(path)
  }

  dropBefore(place: number): void {
    for (const [path, last] of this.#places) {
      if (last >= place) return
      this.#places.delete(path)
    }
  }
}
