import { byId, element } from './element.js'

/** Topics that are counted, and those that are listed. */
const COUNTED_MAX = 500
const LISTED_MAX = 24

/** How often each topic was on an event of this stream; the list is drawn once a second. */
export class TopicsSeen {
  #counts = new Map()
  #isChanged = true
  #list = byId('topics')
  #rows = new Map()
  #button

  constructor(button) {
    this.#button = button
    setInterval(() => this.#draw(), 1_000)
  }

  count(topics) {
    for (const topic of topics) {
      const before = this.#counts.get(topic)
      if (before === undefined && this.#counts.size >= COUNTED_MAX) continue
      this.#counts.set(topic, (before ?? 0) + 1)
    }
    this.#isChanged = true
  }

  clear() {
    this.#counts.clear()
    this.#isChanged = true
    this.#draw()
  }

  #draw() {
    if (!this.#isChanged) return
    this.#isChanged = false
    byId('no-topics').hidden = this.#counts.size > 0
    // In the order in which they came: what one is about to click stays where it is.
    const listed = [...this.#counts].slice(0, LISTED_MAX)
    for (const [topic, row] of this.#rows)
      if (!this.#counts.has(topic)) {
        row.item.remove()
        this.#rows.delete(topic)
      }
    for (const [topic, count] of listed) {
      const row = this.#rows.get(topic) ?? this.#add(topic)
      row.number.textContent = count.toLocaleString()
    }
  }

  #add(topic) {
    const number = element('span', { className: 'quiet' })
    const item = element('li', {}, this.#button(topic), number)
    this.#list.append(item)
    this.#rows.set(topic, { item, number })
    return { item, number }
  }
}
