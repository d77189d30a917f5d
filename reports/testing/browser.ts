/** The browser of this machine, for tests that look at the page. */
import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

const names = ['chromium', 'chromium-browser', 'google-chrome'] as const

async function findBrowser(): Promise<string> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter))
    for (const name of names) {
      const file = join(folder, name)
      const runs = await access(file, constants.X_OK).then(
        () => true,
        () => false,
      )
      if (runs) return file
    }
  throw new Error(`no browser in PATH (${names.join(', ')}): install one, e.g. apt-get install chromium`)
}

export async function launchBrowser(): Promise<Browser> {
  // Chromium refuses to sandbox itself as root; the page under test is our own.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  return chromium.launch({ executablePath: await findBrowser(), args })
}
