/** In the page: one player on the `<video>`, and what a viewer would see of it. */
'use strict';

const PERIOD = 100; // ms between two looks at the time played
const FROZEN = 500; // ms without progress that a viewer calls a stall

/** The picture's clock: bit n stands at 20 n + 10 pixels, in a row of squares; it counts 50ths of seconds. */
const CLOCK = { bits: 16, side: 20, tick: 20 };

const video = document.querySelector('video');
const canvas = new OffscreenCanvas(320, 180);
const pixels = canvas.getContext('2d', { willReadFrequently: true });

const seen = {
  /** When a picture moved first. */
  playing: null,
  errors: [],
  warnings: [],
  stalls: [],
  /** Milliseconds from the picture's making to its showing, told by the clock in it. */
  glass: [],
  /** The same as the playlist's dates tell it, where they do. */
  dated: [],
};
let player = null;
/** Milliseconds of playing before delays count: a player may begin far behind and catch up. */
let settle = 0;
let last = { time: 0, at: performance.now() };

const STARTERS = {
  mpegts(url) {
    player = mpegts.createPlayer({ type: /\.ts($|\?)/.test(url) ? 'mpegts' : 'flv', isLive: true, url });
    player.on(mpegts.Events.ERROR, (...what) => seen.errors.push(what.map((part) => (typeof part === 'string' ? part : JSON.stringify(part))).join(' ')));
    player.attachMediaElement(video);
    player.load();
    play();
  },
  hls(url, options) {
    player = new Hls({ lowLatencyMode: false, ...options });
    player.on(Hls.Events.ERROR, (_, { fatal, type, details, response }) => {
      const where = `at ${video.currentTime.toFixed(2)} of ${buffered()}`;
      (fatal ? seen.errors : seen.warnings).push(`${type}: ${details} ${response?.code ?? ''} ${where}`);
    });
    player.loadSource(url);
    player.attachMedia(video);
    play();
  },
  dash(url, options) {
    player = dashjs.MediaPlayer().create();
    player.updateSettings({ debug: { logLevel: dashjs.Debug.LOG_LEVEL_NONE }, ...options });
    player.on(dashjs.MediaPlayer.events.ERROR, ({ error }) => seen.errors.push(`${error.code} ${error.message}`));
    player.initialize(video, url, true); // begins by itself; who begins before it stops it from reading manifests again
  },
};

function start(kind, url, options, seconds) {
  settle = 1000 * seconds;
  STARTERS[kind](url, options);
  video.requestVideoFrameCallback(frame);
  watch();
}

function play() {
  video.play().catch(() => {}); // not before there is something to play
}

function buffered() {
  const { buffered: ranges } = video;
  const texts = Array.from({ length: ranges.length }, (_, n) => `${ranges.start(n).toFixed(2)}-${ranges.end(n).toFixed(2)}`);
  return `[${texts.join(' ')}]`;
}

/** What the viewer has had so far. */
function report() {
  const { totalVideoFrames, droppedVideoFrames } = video.getVideoPlaybackQuality();
  const frozen = Math.round(performance.now() - last.at); // it may be frozen now
  const stalls = frozen >= FROZEN ? [...seen.stalls, frozen] : seen.stalls;
  return { ...seen, stalls, time: video.currentTime, frames: totalVideoFrames, dropped: droppedVideoFrames };
}

function frame() {
  pixels.drawImage(video, 0, 0, canvas.width, canvas.height);
  if (settled()) {
    const now = Math.floor(Date.now() / CLOCK.tick);
    seen.glass.push(((now - shown()) & (2 ** CLOCK.bits - 1)) * CLOCK.tick);
    const date = player.playingDate;
    if (date) seen.dated.push(Date.now() - date.getTime());
  }
  video.requestVideoFrameCallback(frame);
}

function settled() {
  return seen.playing !== null && performance.now() - seen.playing >= settle;
}

function shown() {
  const row = pixels.getImageData(0, CLOCK.side / 2, canvas.width, 1).data;
  let value = 0;
  for (let bit = 0; bit < CLOCK.bits; bit += 1) {
    const red = row[4 * (CLOCK.side * bit + CLOCK.side / 2)];
    if (red > 127) value += 2 ** bit;
  }
  return value;
}

/** Freezes are measured from the first picture on. */
function watch() {
  setInterval(() => {
    const at = performance.now();
    if (video.currentTime === last.time) return;
    if (seen.playing !== null && at - last.at >= FROZEN) seen.stalls.push(Math.round(at - last.at));
    if (last.time > 0) seen.playing ??= at;
    last = { time: video.currentTime, at };
  }, PERIOD);
}
