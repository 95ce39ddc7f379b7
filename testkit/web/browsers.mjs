/**
 * A page in Chromium or Firefox, headless, with a made-up camera and microphone that need no leave.
 *
 *     const page = await open('firefox', 'http://…/', console.log);
 *     const seen = await page.run(async (wish) => { tell('it begins'); return wish.a; }, { a: 1 });
 *     await page.close();
 *
 * What the page tells, and what a function takes and returns, is JSON. Firefox is driven by WebDriver BiDi
 * (https://www.w3.org/TR/webdriver-bidi/), of which a page takes six commands.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';
import { WebSocket } from 'ws';

const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  '--disable-component-update',
  '--autoplay-policy=no-user-gesture-required',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
];

const FIREFOX_PREFERENCES = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  'media.autoplay.default': 0, // allowed
  'media.gmp-manager.url': '', // downloads of plug-ins, as OpenH264
  'app.update.enabled': false,
  'app.normandy.enabled': false,
  'browser.safebrowsing.downloads.remote.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.homepage_override.mstone': 'ignore',
  'browser.startup.page': 0,
  'datareporting.policy.dataSubmissionEnabled': false,
  'dom.ipc.processPrelaunch.enabled': false,
  'extensions.update.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,', // its maker's lists
  'toolkit.cosmeticAnimations.enabled': false,
};

const START = 30_000; // ms until Firefox must listen
const LISTENS = /^WebDriver BiDi listening on (ws:\S+)/;

/** Opens a page of `browser`, `chromium` or `firefox`; `tell` takes what it says with `tell(value)`. */
export function open(browser, url, tell) {
  return browser === 'firefox' ? openFirefox(url, tell) : openChromium(url, tell);
}

async function openChromium(url, tell) {
  const executablePath = process.env.HEADWATER_CHROMIUM ?? '/usr/bin/chromium';
  const browser = await chromium.launch({ executablePath, args: CHROMIUM_FLAGS, headless: true });
  const page = await browser.newPage();
  await page.exposeFunction('tell', tell);
  await page.goto(url);
  return { run: (work, wish) => page.evaluate(work, wish), close: () => browser.close() };
}

async function openFirefox(url, tell) {
  const firefox = await Firefox.start();
  const { contexts } = await firefox.command('browsingContext.getTree', { maxDepth: 0 });
  const [{ context }] = contexts;
  await firefox.command('session.subscribe', { events: ['script.message'] });
  firefox.told = ({ data }) => tell(JSON.parse(data.value));
  await firefox.command('browsingContext.navigate', { context, url, wait: 'complete' });
  return { run: (work, wish) => firefox.run(context, work, wish), close: () => firefox.close() };
}

class Firefox {
  #next = 0;
  #waiting = new Map();
  told = () => {};

  static async start() {
    const profile = mkdtempSync(join(tmpdir(), 'headwater-firefox-'));
    const preferences = Object.entries(FIREFOX_PREFERENCES).map(
      ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`,
    );
    writeFileSync(join(profile, 'user.js'), preferences.join(''));
    const program = process.env.HEADWATER_FIREFOX ?? '/usr/bin/firefox-esr';
    const args = ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0'];
    // The shell ends the browser when this process goes, however it goes: its standard input ends.
    const script = '"$@" </dev/null & browser=$!; read -r _; kill -9 "$browser"; wait; rm -rf "$0"';
    const shell = spawn('sh', ['-c', script, profile, program, ...args], {
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    const address = await new Promise((done, fail) => {
      const late = setTimeout(() => fail(new Error('Firefox does not listen')), START);
      createInterface(shell.stderr).on('line', (line) => {
        const found = LISTENS.exec(line);
        if (!found) return;
        clearTimeout(late);
        done(found[1]);
      });
    });
    const socket = new WebSocket(`${address}/session`);
    await once(socket, 'open');
    const firefox = new Firefox(shell, socket);
    await firefox.command('session.new', { capabilities: {} });
    return firefox;
  }

  constructor(shell, socket) {
    this.shell = shell;
    this.socket = socket;
    socket.on('message', (bytes) => this.#take(JSON.parse(bytes)));
    socket.on('close', () => {
      for (const { fail } of this.#waiting.values()) fail(new Error('Firefox is gone'));
    });
  }

  #take(message) {
    if (message.type === 'event') {
      if (message.method === 'script.message') this.told(message.params);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.type === 'success') waiting?.done(message.result);
    else waiting?.fail(new Error(`${message.error}: ${message.message}`));
  }

  command(method, params) {
    this.#next += 1;
    const id = this.#next;
    this.socket.send(JSON.stringify({ id, method, params }));
    return new Promise((done, fail) => this.#waiting.set(id, { done, fail }));
  }

  async run(context, work, wish) {
    const functionDeclaration = `async (wish, tell) => {
      globalThis.tell = (value) => tell(JSON.stringify(value));
      return JSON.stringify(await (${work})(JSON.parse(wish)));
    }`;
    const { type, result, exceptionDetails } = await this.command('script.callFunction', {
      functionDeclaration,
      awaitPromise: true,
      target: { context },
      arguments: [
        { type: 'string', value: JSON.stringify(wish) },
        { type: 'channel', value: { channel: 'tell' } },
      ],
    });
    if (type !== 'success') throw new Error(exceptionDetails.text);
    return JSON.parse(result.value);
  }

  async close() {
    const ended = once(this.shell, 'exit');
    this.shell.stdin.end();
    await ended;
  }
}
