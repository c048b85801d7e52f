import { writeFileSync } from 'node:fs'
import { createHistogram } from 'node:perf_hooks'
import { Hub } from '../src/hub/hub.ts'

/**
 * Loaded into the server under test (`node --import`): how long the hub has each publication, from when it was taken up
 * until it was handed to every live subscriber and its receipt is due. Upon SIGUSR2 the figures since the last signal
 * go to the file that `HUB_DELAY` names.
 */
const delay = createHistogram()
// oxlint-disable-next-line typescript/unbound-method -- it is called with its hub.
const { publish } = Hub.prototype
Hub.prototype.publish = async function (...publication) {
  const start = performance.now()
  const receipt = await publish.apply(this, publication)
  delay.record(Math.max(1, Math.round((performance.now() - start) * 1_000_000)))
  return receipt
}

process.on('SIGUSR2', () => {
  const [p50, p99, worst] = [delay.percentile(50), delay.percentile(99), delay.max]
  delay.reset()
  const figures = { hub_p50_ms: p50 / 1e6, hub_p99_ms: p99 / 1e6, hub_worst_ms: worst / 1e6 }
  writeFileSync(process.env['HUB_DELAY']!, JSON.stringify(figures))
})
