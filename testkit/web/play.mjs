/**
 * Plays streams in Chromium, all at once, and says line by line in JSON what was seen.
 *
 *     node play.mjs '[{"name": "a", "player": "hls", "url": "http://…/s.m3u8", "seconds": 10, "settle": 3, "options": {}}]'
 *
 * Delays count after `settle` seconds. `{"name", "event": "playing"}` when a picture moves, `{"name", "event": "played", …}` after so many seconds more.
 * A player that does not begin is reported all the same. It judges nothing.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const here = dirname(fileURLToPath(import.meta.url));
const { resolve } = createRequire(import.meta.url);
const LIBRARIES = {
  mpegts: resolve('mpegts.js/dist/mpegts.js'),
  hls: resolve('hls.js/dist/hls.js'),
  dash: join(here, 'node_modules/dashjs/dist/modern/umd/dash.all.min.js'),
};
const BEGIN = 20_000; // ms until a picture must move
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  '--disable-component-update',
  '--disable-sync',
  '--autoplay-policy=no-user-gesture-required',
  '--host-resolver-rules=MAP *.test 127.0.0.1', // names of virtual hosts
];

/** Another origin than the media's, and a local one: pages of others may not ask local servers for anything. */
const pages = createServer((_, answer) => {
  answer.setHeader('Content-Type', 'text/html');
  answer.end(readFileSync(join(here, 'page.html')));
});
await once(pages.listen(0, '127.0.0.1'), 'listening');

const plays = JSON.parse(process.argv[2]);
const browser = await chromium.launch({
  executablePath: process.env.HEADWATER_CHROMIUM ?? '/usr/bin/chromium',
  args: FLAGS,
  headless: true,
});
try {
  await Promise.all(plays.map(play));
} finally {
  await browser.close();
  pages.close();
}

async function play({ name, player, url, seconds, settle = 0, options = {} }) {
  const page = await browser.newPage();
  const faults = [];
  page.on('pageerror', (error) => faults.push(error.message));
  await page.goto(`http://127.0.0.1:${pages.address().port}/`);
  await page.addScriptTag({ path: LIBRARIES[player] });
  await page.addScriptTag({ content: readFileSync(join(here, 'page.js'), 'utf8') });
  await page.evaluate((args) => start(...args), [player, url, options, settle]);
  const begun = await page.waitForFunction(() => seen.playing !== null, null, { timeout: BEGIN }).then(() => true, () => false);
  if (begun) {
    say({ name, event: 'playing' });
    await sleep(1000 * seconds);
  }
  const { glass, dated, ...report } = await page.evaluate(() => report());
  say({ name, event: 'played', ...report, faults, glass: spread(glass), dated: spread(dated) });
  await page.close();
}

function say(line) {
  console.log(JSON.stringify(line));
}

/** How late, in milliseconds; null when it was never told. */
function spread(delays) {
  if (delays.length === 0) return null;
  const sum = delays.reduce((a, b) => a + b, 0);
  return { average: Math.round(sum / delays.length), most: Math.max(...delays), last: delays.at(-1) };
}
