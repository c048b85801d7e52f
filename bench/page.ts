/**
 * The page under 200 events a second for 30 s: tasks over 50 ms, as the browser's PerformanceObserver counts them, and what
 * the page holds after each ten seconds. Its last words are screenshots, for docs/.
 */
import { fileURLToPath } from 'node:url'
import { setTimeout } from 'node:timers/promises'
import { RawClient } from '../test/http/raw-client.ts'
import { publish, put, startPubsub } from '../test/http/requests.ts'
import { launchChromium, openPage } from '../test/ui/open-page.ts'

const PER_SECOND = 200
const SECONDS = 30
const DOCS = fileURLToPath(new URL('../docs/', import.meta.url))

/** What the screenshots show: one each three seconds of the load. */
const STORY: readonly (readonly [string, object])[] = [
  [
    '/commits/orchard',
    {
      revision: 1841,
      author: 'jane',
      log: 'Prune the apple trees before the frost',
      files: ['trees/apple.c'],
    },
  ],
  ['/builds/orchard', { build: 977, state: 'started', revision: 1841 }],
  ['/builds/orchard', { build: 977, state: 'passed', revision: 1841, seconds: 41.5 }],
  [
    '/commits/harvest',
    {
      revision: 1842,
      author: 'tomas',
      log: 'Baskets hold 12 kg, not 10',
      files: ['baskets/size.h', 'baskets/test.c'],
    },
  ],
  ['/builds/harvest', { build: 978, state: 'started', revision: 1842 }],
  [
    '/builds/harvest',
    {
      build: 978,
      state: 'failed',
      revision: 1842,
      seconds: 17.2,
      tests: { run: 310, failed: ['baskets/test.c:88'] },
    },
  ],
  [
    '/commits/harvest',
    {
      revision: 1843,
      author: 'tomas',
      log: 'The test knew the old baskets',
      files: ['baskets/test.c'],
    },
  ],
  [
    '/builds/harvest',
    { build: 979, state: 'passed', revision: 1843, seconds: 16.9, tests: { run: 310, failed: [] } },
  ],
]

await using server = await startPubsub({ server: { backlog: { size: 10_000 } } })
await using browser = await launchChromium()
await measure()
await takeScreenshots()

async function measure(): Promise<void> {
  await using opened = await openPage(browser, `${server.url}/load`)
  const { page, complaints } = opened
  await page.evaluate(`
    globalThis.longTasks = []
    new PerformanceObserver((list) => longTasks.push(...list.getEntries().map(({ duration }) => duration)))
      .observe({ type: 'longtask' })
  `)
  const devtools = await page.context().newCDPSession(page)
  await using publisher = await RawClient.open(server.port)
  const begun = performance.now()
  for (let second = 1; second <= SECONDS; second++) {
    for (let tenth = 0; tenth < 10; tenth++) {
      for (let i = 0; i < PER_SECOND / 10; i++)
        await publisher.ask(put(`/load/${i % 7}/${i % 3}`, JSON.stringify(payload(i))))
      const dueMs = begun + (second - 1) * 1_000 + (tenth + 1) * 100
      await setTimeout(Math.max(0, dueMs - performance.now()))
    }
    const told = STORY[second / 3 - 1]
    if (told !== undefined) await publish(server, ...told)
    if (second % 10 > 0) continue
    await devtools.send('HeapProfiler.collectGarbage')
    const { usedSize } = await devtools.send('Runtime.getHeapUsage')
    const { nodes } = await devtools.send('Memory.getDOMCounters')
    const cards = await page.locator('.event').count()
    const heap = (usedSize / 1e6).toFixed(1)
    console.log(`after ${second} s: ${cards} cards, ${nodes} nodes, ${heap} MB of heap`)
  }
  await setTimeout(1_000)
  const longTasks = await page.evaluate<number[]>('longTasks')
  console.log(await page.locator('#count').innerText())
  console.log(`tasks over 50 ms: ${longTasks.length}${longTasks.map((ms) => ` ${ms} ms`).join()}`)
  for (const complaint of complaints) console.log(`complaint: ${complaint}`)
}

function payload(n: number) {
  return {
    revision: n,
    author: { name: 'jane', mail: 'jane@example.org' },
    log: 'Apples are compared with apples, pears with pears',
    files: ['orchard/apples.c', 'orchard/pears.c'],
  }
}

async function takeScreenshots(): Promise<void> {
  const wide = { viewport: { width: 1200, height: 720 } }
  const narrow = { viewport: { width: 390, height: 760 } }
  for (const [name, options] of [
    ['page-light', wide],
    ['page-dark', { ...wide, colorScheme: 'dark' }],
    ['page-narrow', { ...narrow, colorScheme: 'dark' }],
  ] as const) {
    await using opened = await openPage(
      browser,
      `${server.url}/commits,builds?since=10m&without=bots`,
      options,
    )
    const { page } = opened
    await page
      .locator('.event')
      .nth(STORY.length - 1)
      .waitFor({ state: 'attached' })
    await page.locator('.event summary').nth(1).click()
    await page.evaluate('scrollTo(0, 0)')
    await setTimeout(1_500) // until the plot is drawn
    await page.screenshot({ path: `${DOCS}${name}.png` })
  }
}
