/** The console in a real browser, by accessible role, against a real server with a real stream. */
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostOf, isGood, keep, launch, openPage, playsOn, SCREENS } from './browser';
import { environment } from './environment';
import { PICTURE, Publisher } from './publisher';

const env = environment();
const STREAM = 'console-e2e';

const PROTOCOLS = [
  { label: 'HTTP-FLV', search: 'flv' },
  { label: 'WS-FLV', search: 'ws' },
  { label: 'HLS', search: 'hls' },
];

let browser: Browser;
let publisher: Publisher | null = null;

beforeAll(async () => {
  browser = await launch();
});

afterAll(async () => {
  await publisher?.stop();
  await browser?.close();
});

const open = (path: string, options?: BrowserContextOptions) =>
  openPage(browser, env.consoleUrl, path, { ours: [env.httpUrl], ...options });

const streamLink = (page: Page) => page.getByRole('link', { name: STREAM, exact: true });

async function publish(page: Page): Promise<void> {
  publisher = new Publisher(env.ffmpeg, `${env.rtmpApp}/${STREAM}`);
  await streamLink(page)
    .waitFor({ timeout: 20_000 })
    .catch((cause) => {
      throw new Error(publisher?.failure() ?? `the published stream does not appear: ${cause}`);
    });
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
