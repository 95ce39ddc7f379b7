/** Chromium, and what every page has to be: accessible, no wider than the screen, from the server alone. */
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';

const SCREENSHOTS = join(process.cwd(), '../artifacts/console');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--autoplay-policy=no-user-gesture-required',
];

/** A made-up camera and microphone, allowed without a question. */
export const FAKE_DEVICES = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

export const SCREENS = [
  { width: 1440, height: 900, colorScheme: 'light' },
  { width: 1440, height: 900, colorScheme: 'dark' },
  { width: 390, height: 844, colorScheme: 'light' },
  { width: 390, height: 844, colorScheme: 'dark' },
] as const;

export function launch(more: string[] = []): Promise<Browser> {
  mkdirSync(SCREENSHOTS, { recursive: true });
  const executablePath = process.env.HEADWATER_CHROMIUM ?? '/usr/bin/chromium';
  return chromium.launch({ executablePath, args: [...CHROMIUM_FLAGS, ...more], headless: true });
}

export interface PageOptions extends BrowserContextOptions {
  /** Origins besides the console's that may be loaded from. */
  ours?: string[];
}

/** A page that remembers what went wrong in it. */
export async function openPage(browser: Browser, origin: string, path: string, options: PageOptions = {}) {
  const { ours = [], ...rest } = options;
  const context = await browser.newContext({ locale: 'en-US', ...rest });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) faults.push(message.text());
  });
  const loaded: string[] = [];
  page.on('request', (request) => loaded.push(request.url()));
  page.on('websocket', (socket) => loaded.push(socket.url()));
  await page.goto(origin + path);
  const close = async () => {
    await context.close();
    const hosts = [origin, ...ours].map(hostOf);
    const outside = loaded.filter((url) => /^(http|ws)/.test(url) && !hosts.includes(hostOf(url)));
    expect(outside, 'loaded from outside').toEqual([]);
    expect(faults).toEqual([]);
  };
  return { page, loaded, close };
}

export function hostOf(url: string): string {
  return new URL(url).host;
}

/** Waits until the picture moves: time and decoded frames both advance, without an error in between. */
export async function playsOn(page: Page): Promise<void> {
  const read = () =>
    page.evaluate(() => {
      const video = document.querySelector('video');
      return {
        time: video?.currentTime ?? 0,
        frames: video?.getVideoPlaybackQuality().totalVideoFrames ?? 0,
      };
    });
  await page.getByText('Playing', { exact: true }).waitFor({ timeout: 40_000 });
  const from = await read();
  await page.waitForFunction(
    (before) => {
      const video = document.querySelector('video');
      if (!video) return false;
      const frames = video.getVideoPlaybackQuality().totalVideoFrames;
      return video.currentTime >= before.time + 2 && frames >= before.frames + 30;
    },
    from,
    { timeout: 20_000 },
  );
}

async function isAccessible(page: Page): Promise<void> {
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: typeof import('axe-core') };
    const result = await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] });
    return result.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`);
  });
  expect(violations).toEqual([]);
}

export async function fitsScreen(page: Page): Promise<void> {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(over, 'pixels beyond the right edge').toBeLessThanOrEqual(0);
}

export async function keep(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
}

export async function isGood(page: Page, name: string): Promise<void> {
  await fitsScreen(page);
  await keep(page, name);
  await isAccessible(page);
}
