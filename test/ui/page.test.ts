import axe from 'axe-core'
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { missing } from '../programs.ts'
import { portForRestarts } from '../clients/pubsub-server.ts'
import { TemporaryFiles } from '../config/temporary-files.ts'
import { publish, request, put, sharedPubsub, startPubsub } from '../http/requests.ts'
import { RawClient } from '../http/raw-client.ts'
import { launchChromium, openPage, type OpenPage } from './open-page.ts'

const USERS = { alice: { password: 'wonderland', acl: { fruit: ['fruits'] } } }

describe('the page in Chromium', { skip: missing('chromium') }, () => {
  const pubsub = sharedPubsub({ server: { backlog: { size: 10_000 } } }, USERS)
  let browser: Browser
  before(async () => {
    browser = await launchChromium()
  })
  after(() => browser?.close())

  /** The page of a path, live. */
  async function open(path: string, options = {}): Promise<OpenPage> {
    const opened = await openPage(browser, pubsub().url + path, options)
    await untilState(opened.page, 'Live')
    return opened
  }

  test('shows what is published, the newest on top, and its JSON unfolds', async () => {
    await using opened = await open('/seen')
    const { page, complaints } = opened
    assert.match(await page.locator('#empty').innerText(), /Waiting for events[^]*curl -XPUT/)
    await publish(pubsub(), '/seen/apples', { n: 1 })
    await publish(pubsub(), '/unseen', { n: 2 })
    const inner = { price: '1.00', seeds: [1, 2] }
    await publish(pubsub(), '/seen/pears', { n: 3, inner })
    await untilEvents(page, 2)
    const first = page.locator('.event').first()
    assert.match(await first.innerText(), /seen\s*pears[^]*n: 3 {2}inner: \{price: "1.00"/)
    await first.locator('summary').click()
    await first.locator('.json summary', { hasText: 'inner' }).click()
    await first.locator('.json summary', { hasText: 'seeds' }).click()
    await first.locator('.json').nth(2).waitFor()
    assert.match(await first.innerText(), /price:\s*"1.00"\s*seeds:\s*\[2\]\s*0:\s*1\s*1:\s*2/)
    assert.match(await page.title(), /^seen/)
    assert.deepEqual(complaints, [])
  })

  test('numbers are shown as they were published', async () => {
    await using opened = await open('/numbers')
    const { page } = opened
    await using client = await RawClient.open(pubsub().port)
    await client.ask(put('/numbers', '{"n": 12345678901234567890, "price": 1.50}'))
    await untilEvents(page, 1)
    assert.match(
      await page.locator('.preview').innerText(),
      /n: 12345678901234567890 {2}price: 1.50/,
    )
  })

  test('a topic narrows, widens, excludes and goes again, and the address says so', async () => {
    await using opened = await open('/chips')
    const { page, complaints } = opened
    const address = () => page.url().replace(pubsub().url, '')
    await publish(pubsub(), '/chips/red', {})
    await choose(page, 'red', 'Only with this')
    assert.equal(address(), '/chips/red')
    await publish(pubsub(), '/chips/red/hot', {})
    await choose(page, 'hot', 'Also this')
    assert.equal(address(), '/chips/red,hot')
    await publish(pubsub(), '/hot/cold', {})
    await choose(page, 'cold', 'Without this')
    assert.equal(address(), '/chips/red,hot?without=cold')
    await publish(pubsub(), '/hot/cold', { n: 1 })
    await publish(pubsub(), '/hot/tea', { n: 2 })
    await untilEvents(page, 1)
    assert.match(await page.locator('.event').innerText(), /n: 2 /)
    await page.getByRole('button', { name: 'Remove chips' }).click()
    assert.equal(address(), '/red,hot?without=cold')
    await page.goBack()
    assert.equal(address(), '/chips/red,hot?without=cold')
    assert.equal(await page.locator('h1').innerText(), 'chips + red or hot')
    assert.deepEqual(complaints, [])
  })

  test('topics are typed, too: with a slash for both, with a comma for either', async () => {
    await using opened = await open('/')
    const { page } = opened
    for (const [typed, path] of [
      ['a/b', '/a/b'],
      [', c d', '/a/b,%20c%20d'],
    ] as const) {
      await page.getByRole('textbox', { name: 'Topics' }).fill(typed)
      await page.keyboard.press('Enter')
      assert.equal(new URL(page.url()).pathname, path)
    }
  })

  test('replays from what the address says, and filters by the payload', async () => {
    for (const n of [1, 2, 3]) await publish(pubsub(), '/replayed', { n })
    await using opened = await open('/replayed?since=all&where=n+%3E+1')
    const { page, complaints } = opened
    await untilEvents(page, 2)
    assert.equal(await page.getByLabel('Where').inputValue(), 'n > 1')
    assert.deepEqual(complaints, [])
    await page.getByLabel('Where').fill('n > )')
    await page.keyboard.press('Enter')
    await untilState(page, 'Refused')
    assert.match(await page.locator('#problem').innerText(), /unexpected '\)' at column 5/)
    await page.getByLabel('Where').fill('n == 3')
    await page.keyboard.press('Enter')
    await untilEvents(page, 1)
    assert.equal(await page.locator('#problem').isVisible(), false)
  })

  test('a range that is over is complete', async () => {
    await publish(pubsub(), '/range', { n: 1 })
    await using opened = await openPage(browser, `${pubsub().url}/range?since=all&count=1`)
    await untilState(opened.page, 'Complete')
    await untilEvents(opened.page, 1)
  })

  test('holds while it is paused, and shows the rest afterwards', async () => {
    await using opened = await open('/paused')
    const { page } = opened
    await publish(pubsub(), '/paused', { n: 1 })
    await untilEvents(page, 1)
    await page.getByRole('button', { name: 'Pause', exact: true }).click()
    for (const n of [2, 3]) await publish(pubsub(), '/paused', { n })
    await page.getByText('Paused: show 2 new events').click()
    await untilEvents(page, 3)
  })

  test('hostile payloads, topics and paths are text', async () => {
    const markup = '<img src=x onerror="globalThis.hacked=1"><script>hacked=1</script>'
    const payload = { [markup]: markup, list: [markup], __proto__: null, toString: markup }
    await using client = await RawClient.open(pubsub().port)
    const path = `/hostile/${encodeURIComponent('<svg onload=hacked=1>')}/${encodeURIComponent('"\'&lt;,‮')}`
    const text = JSON.stringify(payload).replace('{', '{"__proto__": {"hacked": 1}, ')
    assert.equal((await client.ask(put(path, text))).status, 202)
    await using opened = await openPage(
      browser,
      `${pubsub().url}/hostile,${encodeURIComponent('<b>')}?since=all&without=${encodeURIComponent('<i>')}`,
    )
    const { page, complaints } = opened
    await untilEvents(page, 1)
    await page.locator('.event summary').click()
    const card = page.locator('.event')
    assert.match(await card.innerText(), /<img src=x onerror=[^]*<script>hacked=1<\/script>/)
    assert.match(await card.innerText(), /<svg onload=hacked=1>/)
    assert.equal(await page.locator('main :is(img, script, svg, b, i)').count(), 0)
    assert.equal(await page.locator('#chips :is(b, i)').count(), 0)
    assert.equal(await page.evaluate('globalThis.hacked ?? {}.hacked'), undefined)
    assert.deepEqual(complaints, [])
  })

  test('goes on behind the last event after the server was stopped, and after it was killed', async () => {
    using files = new TemporaryFiles()
    const port = await portForRestarts()
    const storage = join(files.directory, 'backlog')
    const start = () => startPubsub({ server: { port, backlog: { size: 1_000, storage } } })
    let server = await start()
    let n = 0
    const why: string[] = []
    const publishOne = () => publish(server, '/a', { n: ++n })
    try {
      await using opened = await openPage(browser, `${server.url}/a`)
      const { page } = opened
      await untilState(page, 'Live')
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        await publishOne()
        await untilEvents(page, n)
        const ended = await server.stop(signal)
        // A stop that a busy disk holds up for 3 s ends by SIGKILL, and can tell nobody why.
        why.push(ended.signal === null ? 'the server is being restarted' : 'the connection broke')
        await untilState(page, 'Reconnecting')
        await server[Symbol.asyncDispose]()
        server = await start()
        await publishOne() // before the page is back
        await untilEvents(page, n)
        await untilState(page, 'Live')
      }
      const shown = await page.locator('.events > li').allInnerTexts()
      const told = shown.map((text) => /n: (\d) /.exec(text)?.[1] ?? text.split('.')[0])
      assert.deepEqual(told.toReversed(), [
        '1',
        `Connection lost: ${why[0]}`,
        'Connected again',
        '2',
        '3',
        `Connection lost: ${why[1]}`,
        'Connected again',
        '4',
      ])
    } finally {
      await server[Symbol.asyncDispose]()
    }
  })

  test('tells where events are missing', async () => {
    const foreign = '4d870a6f-8ec8-4f25-98ee-bd867ea0b201'
    await using opened = await openPage(browser, `${pubsub().url}/gap?cursor=${foreign}`)
    await opened.page.getByText('Some events are missing here').waitFor()
  })

  test('logs in for private topics, and keeps the password to itself', async () => {
    await using opened = await open('/private/fruits')
    const { page, complaints } = opened
    await page.getByRole('button', { name: 'Log in' }).click()
    for (const password of ['wrong', 'wonderland']) {
      await page.getByLabel('Name').fill('alice')
      await page.getByLabel('Password').fill(password)
      await page.keyboard.press('Enter')
      if (password === 'wrong') await page.getByText('name or password is wrong').waitFor()
    }
    await page.getByRole('button', { name: 'Log out alice' }).waitFor()
    await untilState(page, 'Live')
    await publish(pubsub(), '/private/fruits', { secret: 1 })
    await untilEvents(page, 1)
    assert.match(await page.locator('.event').innerText(), /private\s*fruits/)
    const kept =
      'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href])'
    assert.doesNotMatch(String(await page.evaluate(kept)), /wonderland|Basic|secret/)
    await page.getByRole('button', { name: 'Log out alice' }).click()
    await untilEvents(page, 0)
    assert.deepEqual(complaints, [])
  })

  test('asks for a log-in where the server refuses wrong credentials', async () => {
    await using strict = await startPubsub({ clients: { bad_credentials: 'reject' } }, USERS)
    await using opened = await openPage(browser, strict.url)
    const { page } = opened
    await untilState(page, 'Live')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByLabel('Name').fill('alice')
    await page.getByLabel('Password').fill('wrong')
    await page.keyboard.press('Enter')
    await page.getByText('user name or password is wrong').waitFor()
  })

  test('publishes what is in the form, and says why not', async () => {
    await using opened = await open('/form')
    const { page, complaints } = opened
    await page.getByLabel('JSON object').fill('{"n": 7}')
    await page.getByRole('button', { name: 'Publish' }).click()
    await untilEvents(page, 1)
    assert.match(await page.locator('.event').innerText(), /form[^]*n: 7 /)
    assert.deepEqual(complaints, [])
    await page.getByLabel('JSON object').fill('[7]')
    await page.getByRole('button', { name: 'Publish' }).click()
    await page.getByText('payload is JSON, but not an object').waitFor()
  })

  test('offers no publishing where the address may not', async () => {
    await using elsewhere = await startPubsub({ clients: { payloaders: ['10.0.0.1'] } })
    await using opened = await openPage(browser, elsewhere.url)
    await opened.page.getByText('You may not publish here: your address 127.0.0.1').waitFor()
    assert.equal(await opened.page.locator('#publish button').isDisabled(), true)
    assert.deepEqual(opened.complaints, [])
  })

  test('the stream goes to a shell and to somebody else as it is', async () => {
    const path = '/a b/c?where=n+%3E+1'
    await using opened = await open(path, { permissions: ['clipboard-read', 'clipboard-write'] })
    const { page } = opened
    const clipboard = () => page.evaluate('navigator.clipboard.readText()')
    await page.getByRole('button', { name: 'Share link' }).click()
    await page.getByText('Link copied').waitFor()
    assert.equal(await clipboard(), `${pubsub().url}/a%20b/c?where=n+%3E+1`)
    await page.getByRole('button', { name: 'Copy as curl' }).click()
    await page.getByText('Command copied').waitFor()
    assert.equal(await clipboard(), `curl -N '${pubsub().url}/a%20b/c?where=n+%3E+1'`)
  })

  test('keeps no more than it shows, however many events come', async () => {
    await using opened = await open('/many')
    const { page, complaints } = opened
    await using client = await RawClient.open(pubsub().port)
    for (let from = 0; from < 3_000; from += 500) {
      const headers = ['Content-Type: application/x-ndjson']
      const { status } = await client.ask(
        request('PUT', `/many/${from}`, { headers, body: fiveHundredFrom(from) }),
      )
      assert.equal(status, 202)
    }
    await page.getByText('3,000 events, the newest 300 shown').waitFor()
    // What is counted is drawn with the next frame, which a busy machine may be long about.
    await page
      .locator('.event')
      .first()
      .filter({ hasText: /n: 2999\b/ })
      .waitFor()
    assert.equal(await page.locator('.event').count(), 300)
    assert.ok(Number(await page.evaluate('document.querySelectorAll("*").length')) < 300 * 15 + 300)
    assert.deepEqual(complaints, [])
  })

  test('fits a telephone', async () => {
    await using opened = await open('/narrow', { viewport: { width: 360, height: 740 } })
    const { page } = opened
    await publish(pubsub(), `/narrow/${'long'.repeat(40)}`, { ['key'.repeat(60)]: 'x'.repeat(900) })
    await untilEvents(page, 1)
    await page.locator('.event summary').click()
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 360)
  })

  test('is dark where everything else is', async () => {
    const grounds = []
    for (const colorScheme of ['light', 'dark']) {
      await using opened = await open('/dark', { colorScheme })
      grounds.push(await opened.page.evaluate('getComputedStyle(document.body).backgroundColor'))
    }
    assert.deepEqual(grounds, ['rgb(246, 247, 246)', 'rgb(16, 20, 19)'])
  })

  for (const [what, options] of [
    ['light', {}],
    ['dark', { colorScheme: 'dark' }],
    ['narrow', { viewport: { width: 360, height: 740 } }],
  ] as const)
    test(`axe finds nothing serious, ${what}`, async () => {
      await using opened = await open('/private/axe,axe?without=x', options)
      const { page } = opened
      await publish(pubsub(), '/axe/a', { n: 1, inner: { deep: [true, null, 'text'] } })
      await untilEvents(page, 1)
      await page.locator('.event summary').click()
      assert.deepEqual(await serious(page), [])
      await page.locator('.event .chip').first().click()
      assert.deepEqual(await serious(page), [])
      await page.keyboard.press('Escape')
      await page.getByRole('button', { name: 'Log in' }).click()
      assert.deepEqual(await serious(page), [])
    })

  test('all of it can be reached by the keyboard', async () => {
    await using opened = await open('/keys')
    const { page } = opened
    await publish(pubsub(), '/keys/a', { n: 1 })
    await untilEvents(page, 1)
    await page.locator('.event .chip').last().focus()
    await page.keyboard.press('Enter')
    await page.keyboard.press('Enter')
    assert.equal(new URL(page.url()).pathname, '/keys/a')
  })
})

async function choose(page: Page, topic: string, what: string): Promise<void> {
  await page.locator('#topics').getByRole('button', { name: topic, exact: true }).click()
  await page.getByRole('button', { name: what }).click()
  await untilState(page, 'Live')
}

async function untilState(page: Page, state: string): Promise<void> {
  await page.locator('#state-text', { hasText: state }).waitFor()
}

async function untilEvents(page: Page, count: number): Promise<void> {
  const events = page.locator('.event')
  if (count === 0) await events.first().waitFor({ state: 'detached' })
  else await events.nth(count - 1).waitFor({ state: 'attached' })
  assert.equal(await events.count(), count)
}

function fiveHundredFrom(first: number): string {
  return Array.from({ length: 500 }, (_, i) => `{"n": ${first + i}, "text": "some words"}\n`).join(
    '',
  )
}

async function serious(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const { violations } = (await page.evaluate('axe.run()')) as axe.AxeResults
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
}
