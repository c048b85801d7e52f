import { byId } from './element.js'

const BAR_MS = 2_000
const BARS = 150

/** Events in each two seconds of the last five minutes, by the server's clock, so that a replay fills it as well. */
export class RatePlot {
  #counts = new Map()
  #canvas = byId('rate')
  #text = byId('rate-text')
  #aheadMs = 0

  constructor() {
    setInterval(() => this.#draw(), 1_000)
    addEventListener('resize', () => this.#draw())
    this.#draw()
  }

  /** The server's clock now. */
  setTime(ms) {
    this.#aheadMs = ms - Date.now()
  }

  count(timestampMs) {
    const bar = Math.floor(timestampMs / BAR_MS)
    if (bar > this.#newest() - BARS) this.#counts.set(bar, (this.#counts.get(bar) ?? 0) + 1)
  }

  clear() {
    this.#counts.clear()
    this.#draw()
  }

  #newest() {
    return Math.floor((Date.now() + this.#aheadMs) / BAR_MS)
  }

  #draw() {
    const newest = this.#newest()
    const first = newest - BARS + 1
    for (const bar of this.#counts.keys()) if (bar < first) this.#counts.delete(bar)
    const { clientWidth, clientHeight } = this.#canvas
    const scale = devicePixelRatio
    this.#canvas.width = clientWidth * scale
    this.#canvas.height = clientHeight * scale
    const context = this.#canvas.getContext('2d')
    context.scale(scale, scale)
    context.fillStyle = getComputedStyle(this.#canvas).color
    const peak = Math.max(...this.#counts.values(), 0)
    const step = clientWidth / BARS
    for (const [bar, count] of this.#counts) {
      const height = Math.max(2, (count / Math.max(peak, 4)) * (clientHeight - 2))
      context.fillRect((bar - first) * step, clientHeight - height, Math.max(1, step - 0.5), height)
    }
    // The newest bar is still filling.
    const now = (this.#counts.get(newest - 1) ?? 0) / (BAR_MS / 1000)
    const most = peak / (BAR_MS / 1000)
    this.#text.textContent =
      peak === 0 ? 'No events in the last five minutes' : `${now} events/s now, ${most} at the peak`
  }
}
