import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { DEADLINE_MS } from '../deadline.ts'

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
    timeout: DEADLINE_MS,
  })
}

export interface OpenPage extends AsyncDisposable {
  readonly page: Page
  /** What the browser complained of, scripts that failed and what the policy forbade included. */
  readonly complaints: string[]
}

/** In a profile of its own. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<OpenPage> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    colorScheme: 'light',
    ...options,
  })
  const page = await context.newPage()
  page.setDefaultTimeout(DEADLINE_MS)
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  await page.goto(url)
  return { page, complaints, [Symbol.asyncDispose]: () => context.close() }
}
