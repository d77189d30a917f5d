/** The page as people meet it: from disk and from a server, light and dark, on a phone, by keyboard. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { charts } from './charts/index.ts'
import { launchBrowser } from './testing/browser.ts'
import { fixture } from './testing/fixture.ts'
import { openDetails, overlappingLabels, poorContrast } from './testing/in-page.ts'
import { writeReport } from './write.ts'

let browser: Browser
let server: Server
let folder: string
let disk: string
let web: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dpb-report-'))
  const file = await writeReport(fixture(), folder)
  disk = pathToFileURL(file).href
  const page = await readFile(file)
  server = createServer((_, response) => response.setHeader('content-type', 'text/html; charset=utf-8').end(page))
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  web = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  browser = await launchBrowser()
})

afterAll(async () => {
  await browser?.close()
  await new Promise((closed) => (server ? server.close(closed) : closed(undefined)))
  if (folder) await rm(folder, { recursive: true })
})

interface Visit extends AsyncDisposable {
  readonly page: Page
  readonly complaints: string[]
  readonly requests: string[]
}

async function visit(url: string, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  const page = await context.newPage()
  const complaints: string[] = []
  const requests: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('request', (request) => requests.push(request.url()))
  await page.goto(url)
  return { page, complaints, requests, [Symbol.asyncDispose]: () => context.close() }
}

describe.each([
  ['disk', () => disk],
  ['web server', () => web],
])('from %s', (_, address) => {
  it('shows every chart and path, says nothing in the console, and asks nobody', async () => {
    await using seen = await visit(address())
    for (const { name } of charts) {
      const box = await seen.page.locator(`#chart-${name} svg.marks`).boundingBox()
      expect(box?.width, name).toBeGreaterThan(200)
      expect(box?.height, name).toBeGreaterThan(80)
    }
    expect(await seen.page.locator('svg.path:visible').count()).toBe(4)
    expect(seen.complaints).toEqual([])
    expect(seen.requests.filter((url) => url !== address() && !url.startsWith('data:'))).toEqual([])
  })
})

it.each([360, 390, 768, 1280])('never scrolls sideways at %i px', async (width) => {
  await using seen = await visit(disk, { viewport: { width, height: 800 } })
  await seen.page.evaluate(openDetails)
  expect(await seen.page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
  expect(await seen.page.locator('#answer .answer').first().isVisible()).toBe(true)
  expect(await seen.page.locator('ol.way').first().isVisible()).toBe(true)
})

it.each(['light', 'dark'] as const)('has readable text in the %s scheme', async (colorScheme) => {
  await using seen = await visit(disk, { colorScheme })
  const poor = await seen.page.evaluate(poorContrast)
  expect(poor).toEqual([])
})

it('draws no label over another', async () => {
  await using seen = await visit(disk)
  const overlaps = await seen.page.evaluate(overlappingLabels)
  expect(overlaps).toEqual([])
})

it('is reached by keyboard: skip link, scheme, contents; the scheme stays after a reload', async () => {
  await using seen = await visit(web, { colorScheme: 'light' })
  const { page } = seen
  const focused = () => page.evaluate('document.activeElement?.textContent?.trim()')
  await page.keyboard.press('Tab')
  expect(await focused()).toBe('Skip to the answer')
  await page.keyboard.press('Tab')
  expect(await focused()).toBe('Dark colours')
  await page.keyboard.press('Enter')
  expect(await focused()).toBe('Light colours')
  const ground = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
  const dark = await ground()
  await page.reload()
  expect(await ground()).toBe(dark)
  await page.keyboard.press('Tab')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Tab')
  expect(await focused()).toBe('Answer')
})

it('tells values on hover', async () => {
  await using seen = await visit(disk)
  await seen.page.locator('#chart-cpu [data-says^="sidecar, kernel"]').first().hover()
  expect(await seen.page.locator('.tip').textContent()).toMatch(/^sidecar, kernel: [\d.]+\sµs$/)
})

it('works without its script', async () => {
  await using seen = await visit(disk, { javaScriptEnabled: false })
  expect(await seen.page.locator('svg.marks').first().isVisible()).toBe(true)
  expect(await seen.page.locator('button.scheme').isVisible()).toBe(false)
})
