import { byId, element } from './element.js'
import { jsonView, parseExactly, previewOf } from './json-view.js'

/** Cards on the page, and those that wait to be drawn. */
const CARDS_MAX = 300
/** How long cards are made before the frame is drawn. */
const FRAME_MS = 6

/**
 * The newest events on top, drawn a frame at a time. However fast they come, no more than `CARDS_MAX` are kept: older ones,
 * and those that were never drawn, are let go of.
 */
export class EventList {
  #list = byId('events')
  #waiting = []
  #isHeld = false
  #isScheduled = false
  #onTopic
  #onChange
  /** Events since the list was cleared, and while it was held. */
  total = 0
  missed = 0

  constructor({ onTopic, onChange }) {
    this.#onTopic = onTopic
    this.#onChange = onChange
  }

  get isHeld() {
    return this.#isHeld
  }

  add(event, line) {
    this.total++
    if (this.#isHeld) this.missed++
    this.#push({ event, line })
  }

  /** Something about the stream, in its place between the events. */
  note(text, kind) {
    this.#push({ text, kind })
  }

  hold(isHeld) {
    this.#isHeld = isHeld
    this.missed = 0
    this.#schedule()
  }

  clear() {
    this.#waiting = []
    this.#list.replaceChildren()
    this.total = this.missed = 0
    this.#schedule()
  }

  #push(entry) {
    this.#waiting.push(entry)
    // Not one by one: that would move all of them each time.
    if (this.#waiting.length >= 2 * CARDS_MAX) this.#waiting = this.#waiting.slice(-CARDS_MAX)
    this.#schedule()
  }

  #schedule() {
    if (this.#isScheduled) return
    this.#isScheduled = true
    requestAnimationFrame(() => this.#draw())
  }

  #draw() {
    this.#isScheduled = false
    if (!this.#isHeld && this.#waiting.length > 0) {
      if (this.#waiting.length > CARDS_MAX) this.#waiting = this.#waiting.slice(-CARDS_MAX)
      const end = performance.now() + FRAME_MS
      const made = []
      let taken = 0
      while (taken < this.#waiting.length && performance.now() < end)
        made.push(this.#item(this.#waiting[taken++]))
      this.#waiting.splice(0, taken)
      this.#list.prepend(...made.toReversed())
      while (this.#list.childElementCount > CARDS_MAX) this.#list.lastElementChild.remove()
      if (this.#waiting.length > 0) this.#schedule()
    }
    this.#onChange()
  }

  get shown() {
    return this.#list.childElementCount
  }

  #item(entry) {
    return entry.event === undefined
      ? element('li', { className: `note ${entry.kind}` }, entry.text)
      : this.#card(entry)
  }

  #card({ event, line }) {
    const at = new Date(event.pubsub_timestamp * 1000)
    const time = element('time', { dateTime: at.toISOString(), title: at.toString() }, clock(at))
    const topics = event.pubsub_topics.map((topic) => this.topicButton(topic))
    const head = element('div', { className: 'head' }, ...topics)
    if (isPrivate(event.pubsub_path))
      head.prepend(element('span', { className: 'badge' }, 'private'))
    head.append(time)
    const payload = payloadOf(line)
    const summary = element('summary', {}, previewOf(payload))
    const details = element('details', {}, summary)
    details.addEventListener('toggle', () => details.append(jsonView(payload)), { once: true })
    return element('li', { className: 'event' }, element('article', {}, head, details))
  }

  topicButton(topic) {
    const button = element(
      'button',
      { type: 'button', className: 'chip' },
      element('bdi', {}, topic),
    )
    button.addEventListener('click', () => this.#onTopic(topic, button))
    return button
  }
}

function payloadOf(line) {
  const payload = parseExactly(line)
  for (const name of OWN) delete payload[name]
  return payload
}

const OWN = ['pubsub_timestamp', 'pubsub_topics', 'pubsub_path', 'pubsub_cursor']

function isPrivate(path) {
  return /^\/*private(?:\/|$)/.test(path)
}

const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hour12: false,
  fractionalSecondDigits: 3,
})
const DAY_AND_CLOCK = new Intl.DateTimeFormat(undefined, {
  dateStyle: 'medium',
  timeStyle: 'medium',
})

function clock(at) {
  return Date.now() - at < 12 * 3_600_000 ? CLOCK.format(at) : DAY_AND_CLOCK.format(at)
}
