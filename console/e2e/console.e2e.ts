/** The console in a real browser, by accessible role, against a real server with a real stream. */
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { environment } from './environment';
import { PICTURE, Publisher } from './publisher';

const env = environment();
const STREAM = 'console-e2e';
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

const PROTOCOLS = [
  { label: 'HTTP-FLV', search: 'flv' },
  { label: 'WS-FLV', search: 'ws' },
  { label: 'HLS', search: 'hls' },
];

const SCREENS = [
  { width: 1440, height: 900, colorScheme: 'light' },
  { width: 1440, height: 900, colorScheme: 'dark' },
  { width: 390, height: 844, colorScheme: 'light' },
  { width: 390, height: 844, colorScheme: 'dark' },
] as const;

let browser: Browser;
let publisher: Publisher | null = null;

beforeAll(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  browser = await chromium.launch({ executablePath: env.chromium, args: CHROMIUM_FLAGS, headless: true });
});

afterAll(async () => {
  await publisher?.stop();
  await browser?.close();
});

/** A page that remembers what went wrong in it. */
async function open(path: string, options: BrowserContextOptions = {}) {
  const context = await browser.newContext({ locale: 'en-US', ...options });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) faults.push(message.text());
  });
  const loaded: string[] = [];
  page.on('request', (request) => loaded.push(request.url()));
  page.on('websocket', (socket) => loaded.push(socket.url()));
  await page.goto(env.consoleUrl + path);
  const close = async () => {
    await context.close();
    const ours = [env.consoleUrl, env.httpUrl].map(hostOf);
    const outside = loaded.filter((url) => /^(http|ws)/.test(url) && !ours.includes(hostOf(url)));
    expect(outside, 'loaded from outside').toEqual([]);
    expect(faults).toEqual([]);
  };
  return { page, loaded, close };
}

function hostOf(url: string): string {
  return new URL(url).host;
}

const streamLink = (page: Page) => page.getByRole('link', { name: STREAM, exact: true });

async function publish(page: Page): Promise<void> {
  publisher = new Publisher(env.ffmpeg, `${env.rtmpApp}/${STREAM}`);
  await streamLink(page)
    .waitFor({ timeout: 20_000 })
    .catch((cause) => {
      throw new Error(publisher?.failure() ?? `the published stream does not appear: ${cause}`);
    });
}

/** Waits until the picture moves: time and decoded frames both advance, without an error in between. */
async function playsOn(page: Page): Promise<void> {
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

async function fitsScreen(page: Page): Promise<void> {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(over, 'pixels beyond the right edge').toBeLessThanOrEqual(0);
}

async function keep(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
}

async function isGood(page: Page, name: string): Promise<void> {
  await fitsScreen(page);
  await keep(page, name);
  await isAccessible(page);
}

describe('before a stream', () => {
  it('tells how to publish one', async () => {
    for (const { width, height, colorScheme } of SCREENS) {
      const { page, close } = await open('/', { viewport: { width, height }, colorScheme });
      const name = `${width}-${colorScheme}`;
      await page.getByRole('heading', { name: 'Live', level: 1 }).waitFor();
      const steps = page.getByRole('region', { name: 'Your first stream in three steps' });
      // Other tests may be publishing to the same server.
      await steps.or(page.getByRole('searchbox')).first().waitFor();
      if (await steps.isVisible()) {
        await steps.getByRole('button', { name: 'Copy Stream key' }).waitFor();
        await isGood(page, `empty-${name}`);
      }
      await page.goto(`${env.consoleUrl}/streams/${env.app}/${STREAM}`);
      await page.getByText('This stream is not live').waitFor();
      await isGood(page, `not-live-${name}`);
      await close();
    }
  });
});

describe.each(SCREENS)('$width px, $colorScheme', ({ width, height, colorScheme }) => {
  const name = `${width}-${colorScheme}`;
  const screen = { viewport: { width, height }, colorScheme };

  it('shows the stream with its numbers', async () => {
    const { page, close } = await open('/', screen);
    if (!publisher) await publish(page);
    await streamLink(page).waitFor();
    const entry = page
      .getByRole('row')
      .or(page.getByRole('listitem'))
      .filter({ has: streamLink(page) });
    for (const text of [
      'H264',
      'AAC',
      `${PICTURE.width} × ${PICTURE.height}`,
      'Video and audio are arriving',
    ]) {
      await entry.getByText(text).first().waitFor({ timeout: 20_000 });
    }
    await entry.getByRole('img', { name: /Bitrate of the last minute/ }).waitFor({ timeout: 20_000 });
    await isGood(page, `live-${name}`);
    await close();
  });

  it.each(PROTOCOLS)('plays $label', async ({ label, search }) => {
    const { page, loaded, close } = await open('/', screen);
    await streamLink(page).click();
    await page.getByRole('heading', { name: STREAM, level: 1 }).waitFor();
    await page.getByRole('radiogroup', { name: 'Protocol' }).getByText(label, { exact: true }).click();
    if (search !== 'flv') await page.waitForURL((url) => url.searchParams.get('player') === search);
    await playsOn(page);
    expect(loaded.filter((url) => hostOf(url) === hostOf(env.httpUrl) && url.includes(STREAM))).not.toEqual(
      [],
    );
    await isGood(page, `stream-${search}-${name}`);
    await close();
  });

  it('explains publishing', async () => {
    const { page, close } = await open('/publish', screen);
    await page.getByRole('button', { name: 'Copy Server' }).waitFor();
    await page.getByLabel('Stream name').fill('my-show');
    await page.getByText('my-show', { exact: true }).first().waitFor();
    await isGood(page, `publish-${name}`);
    await page.getByRole('button', { name: 'QR code of RTMP address' }).click();
    await page.getByRole('img', { name: 'QR code of RTMP address' }).waitFor();
    await keep(page, `publish-qr-${name}`);
    await close();
  });
});

describe('a stream page', () => {
  it('remembers the protocol in its address', async () => {
    const { page, close } = await open(`/streams/${env.app}/${STREAM}?player=hls`);
    await expect.poll(() => page.getByRole('radio', { name: 'HLS', exact: true }).isChecked()).toBe(true);
    await playsOn(page);
    await close();
  });

  it('can be reached and steered by keyboard alone', async () => {
    const { page, close } = await open('/');
    await streamLink(page).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('radio', { name: 'HTTP-FLV', exact: true }).focus();
    await page.keyboard.press('ArrowRight');
    await page.waitForURL((url) => url.searchParams.get('player') === 'ws');
    await playsOn(page);
    await close();
  });

  it('speaks Chinese', async () => {
    const { page, close } = await open(`/streams/${env.app}/${STREAM}`, { locale: 'zh-CN' });
    await page.getByText('正在播放', { exact: true }).waitFor({ timeout: 20_000 });
    expect(await page.evaluate(() => document.documentElement.lang)).toBe('zh-CN');
    await isGood(page, 'stream-zh');
    await close();
  });

  it('disconnects a client', async () => {
    const { page, close } = await open(`/streams/${env.app}/${STREAM}`);
    await playsOn(page);
    const answer = page.waitForResponse((response) => response.request().method() === 'DELETE');
    await page
      .getByRole('button', { name: /^Disconnect HTTP-FLV/ })
      .first()
      .click();
    await page.getByRole('button', { name: 'Really disconnect' }).click();
    expect(await (await answer).json()).toMatchObject({ code: 0 });
    // The kicked viewer was this page, or another one: either way it plays on or again.
    await playsOn(page);
    await close();
  });

  it('says that the stream ended, and plays again when it returns', async () => {
    const { page, close } = await open(`/streams/${env.app}/${STREAM}`);
    await playsOn(page);
    await publisher?.stop();
    await page
      .getByText(/Nobody publishes right now|The stream ended|This stream is not live/)
      .first()
      .waitFor({ timeout: 20_000 });
    await keep(page, 'stream-ended');
    publisher = new Publisher(env.ffmpeg, `${env.rtmpApp}/${STREAM}`);
    await page.getByText('Video and audio are arriving').first().waitFor({ timeout: 30_000 });
    await playsOn(page);
    await close();
  });
});
