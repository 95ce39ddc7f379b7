/** Publishing from the console and watching over WebRTC in a real browser, and what is said when it does not work. */
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FAKE_DEVICES, isGood, keep, launch, openPage, playsOn, SCREENS } from './browser';
import { origins } from './environment';

const [on = '', http = '', off = '', astray = ''] = origins(
  'HEADWATER_CONSOLE_URL',
  'HEADWATER_HTTP_URL',
  'HEADWATER_OFF_URL',
  'HEADWATER_ASTRAY_URL',
);

let browser: Browser;

beforeAll(async () => {
  browser = await launch(FAKE_DEVICES);
});

afterAll(async () => {
  await browser?.close();
});

const open = (origin: string, path: string, options?: BrowserContextOptions) =>
  openPage(browser, origin, path, { ours: [http], ...options });

const publishing = (stream: string) => `/publish?way=browser&stream=${stream}`;

async function goLive(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Camera', exact: true }).click();
  await page.getByRole('button', { name: 'Go live' }).click();
  await page.getByText(/^On air \d/).waitFor({ timeout: 30_000 });
}

/** The value of a number by its name. */
const numberOf = (page: Page, name: string) =>
  page.locator('dt', { hasText: name }).locator('xpath=following-sibling::dd');

describe('a broadcast from the browser', () => {
  it('is seen by a viewer over WebRTC, and ends', async () => {
    const publisher = await open(on, publishing('web'));
    await goLive(publisher.page);
    await expect
      .poll(() => numberOf(publisher.page, 'Bitrate').textContent(), { timeout: 20_000 })
      .toMatch(/b\/s/);
    const viewer = await open(on, '/streams/live/web?player=whep');
    await playsOn(viewer.page);
    await expect.poll(() => numberOf(viewer.page, 'Behind live').textContent()).toMatch(/\d+ ms|0\.\d s/);
    const ended = publisher.page.waitForRequest((request) => request.method() === 'DELETE');
    await publisher.page.getByRole('button', { name: 'Stop' }).click();
    expect(new URL((await ended).url()).pathname).toBe('/rtc/v1/whip/');
    await viewer.page.getByText('Nobody publishes right now').first().waitFor({ timeout: 20_000 });
    await viewer.close();
    await publisher.close();
  });

  it('goes on while other rooms are looked at, with the picture and sound switched', async () => {
    const { page, close } = await open(on, publishing('roaming'));
    await goLive(page);
    await page.getByRole('button', { name: 'Mute' }).click();
    await page.getByRole('button', { name: 'Picture off' }).click();
    await page.getByText('viewers see black').waitFor();
    await keep(page, 'broadcast-black');
    await page.getByRole('button', { name: 'Picture is off' }).click();
    await page.getByLabel('Resolution').selectOption('360');
    await page.getByRole('link', { name: 'Open its page' }).click();
    await page.getByRole('radiogroup', { name: 'Protocol' }).getByText('WebRTC', { exact: true }).click();
    await playsOn(page);
    await page.getByRole('link', { name: 'On air: roaming' }).click();
    await page
      .getByText(/^On air \d/)
      .first()
      .waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('button', { name: 'Close devices' }).click();
    await page.getByRole('button', { name: 'Camera', exact: true }).waitFor();
    await close();
  });

  it('can be begun by keyboard alone', async () => {
    const { page, close } = await open(on, publishing('keys'));
    await page.getByRole('button', { name: 'Camera', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Go live' }).focus();
    await page.keyboard.press('Enter');
    await page
      .getByText(/^On air \d/)
      .first()
      .waitFor({ timeout: 30_000 });
    await page.getByRole('button', { name: 'Stop' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Go live' }).waitFor();
    await close();
  });
});

describe('what does not work is said', () => {
  it('when WebRTC is off', async () => {
    const { page, close } = await open(off, publishing('none'));
    await page.getByRole('button', { name: 'Camera', exact: true }).click();
    await page.getByRole('button', { name: 'Go live' }).click();
    const notice = page.getByRole('alert');
    await notice.getByText('WebRTC is turned off on the server').waitFor({ timeout: 20_000 });
    await notice.getByText('rtc_server { enabled on; }').waitFor();
    await isGood(page, 'webrtc-off');
    await close();
  });

  it('when the server names an address that leads nowhere', async () => {
    const { page, close } = await open(astray, publishing('astray'), {
      viewport: { width: 390, height: 844 },
    });
    await page.getByRole('button', { name: 'Camera', exact: true }).click();
    await page.getByRole('button', { name: 'Go live' }).click();
    const notice = page.getByRole('alert');
    await notice.getByText('192.0.2.1:').waitFor({ timeout: 40_000 });
    await notice.getByText('rtc_server.candidate').waitFor();
    await isGood(page, 'webrtc-astray');
    await close();
  });

  it('when somebody else publishes', async () => {
    const first = await open(on, publishing('twice'));
    await goLive(first.page);
    const second = await open(on, publishing('twice'));
    await second.page.getByRole('button', { name: 'Camera', exact: true }).click();
    await second.page.getByRole('button', { name: 'Go live' }).click();
    await second.page.getByText('Somebody else publishes this stream').waitFor({ timeout: 20_000 });
    await second.close();
    await first.close();
  });
});

describe.each(SCREENS)('$width px, $colorScheme', ({ width, height, colorScheme }) => {
  it.each(['en-US', 'zh-CN'])('looks right in %s', async (locale) => {
    const name = `${width}-${colorScheme}-${locale.slice(0, 2)}`;
    const look = { viewport: { width, height }, colorScheme, locale };
    const { page, close } = await open(on, publishing(name), look);
    const main = page.locator('main');
    await main.getByRole('button').first().waitFor();
    await isGood(page, `broadcast-begin-${name}`);
    await main.getByRole('button', { name: /^(Camera|摄像头)$/ }).click();
    await main.getByRole('button', { name: /^(Go live|开始直播)$/ }).click();
    await main.getByText(/^(On air|直播中) 0:(0[2-9]|[1-5]\d)/).waitFor({ timeout: 30_000 });
    await isGood(page, `broadcast-live-${name}`);
    const viewer = await open(on, `/streams/live/${name}?player=whep`, look);
    await viewer.page.getByText(/^(Playing|正在播放)$/).waitFor({ timeout: 30_000 });
    await isGood(viewer.page, `stream-whep-${name}`);
    await viewer.close();
    await close();
  });
});
