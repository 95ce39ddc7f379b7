/**
 * Publishes or plays by WHIP and WHEP in a browser and says in lines of JSON what is seen: every half second a
 * `{"sample": {…}}`, and at the end all of it.
 *
 *     node rtc.mjs '{"mode": "play", "url": "http://…/rtc/v1/whep/?…", "seconds": 4, "codec": "video/H264"}'
 *
 * `browser` is `chromium`, as without it, or `firefox`.
 * `mode` is `play` or `publish` (a made-up camera and microphone). Seconds count from the first picture on; at most 15 s
 * are waited for it. `codec` puts one video codec before the others. `encodings` are those of simulcast, as
 * `RTCRtpTransceiverInit` has them; the camera has 960 by 540 pixels then, else 640 by 360.
 * `restart` restarts ICE after the first picture, by PATCH of the session's URL. It judges nothing.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { open } from './browsers.mjs';

const wish = JSON.parse(process.argv[2]);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const pages = createServer((_, answer) => {
  answer.setHeader('Content-Type', 'text/html');
  answer.end('<!doctype html><title>rtc</title>');
});
await once(pages.listen(0, '127.0.0.1'), 'listening');
const page = await open(wish.browser, `http://127.0.0.1:${pages.address().port}/`, say);
try {
  say(await page.run(run, wish));
} finally {
  await page.close();
  pages.close();
}

/** Runs in the page. */
async function run({ mode, url, seconds, codec, encodings, restart }) {
  const BEGIN = 15_000; // ms until the first picture
  const SAMPLE = 500; // ms from one sample to the next
  const GAP = 500; // ms without a new picture that are told
  const pc = new RTCPeerConnection();
  const video = document.createElement('video');
  const plays = mode === 'play';
  video.muted = true;
  video.autoplay = true;
  document.body.append(video);
  if (plays) {
    const media = new MediaStream();
    pc.addTransceiver('audio', { direction: 'recvonly' });
    pc.addTransceiver('video', { direction: 'recvonly' });
    pc.ontrack = (event) => media.addTrack(event.track);
    video.srcObject = media;
  } else {
    const camera = encodings ? { width: 960, height: 540, frameRate: 15 } : { width: 640, height: 360 };
    const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: camera });
    for (const track of media.getTracks()) {
      const layers = track.kind === 'video' && encodings ? { sendEncodings: encodings } : {};
      pc.addTransceiver(track, { direction: 'sendonly', ...layers });
    }
  }
  if (codec) {
    const kind = plays ? RTCRtpReceiver : RTCRtpSender;
    const all = kind.getCapabilities('video').codecs;
    const first = all.filter((known) => known.mimeType === codec);
    const rest = all.filter((known) => known.mimeType !== codec);
    for (const transceiver of pc.getTransceivers()) {
      const of = transceiver.receiver.track?.kind ?? transceiver.sender.track?.kind;
      if (of === 'video') transceiver.setCodecPreferences([...first, ...rest]);
    }
  }
  await pc.setLocalDescription(await pc.createOffer());
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/sdp' },
    body: pc.localDescription.sdp,
  });
  const text = await answer.text();
  if (answer.status !== 201) return { status: answer.status, reason: text };
  const answered = performance.now();
  const direction = plays ? 'inbound-rtp' : 'outbound-rtp';
  const location = new URL(answer.headers.get('location'), url);
  const picture = plays
    ? new Promise((done) => video.requestVideoFrameCallback(() => done(performance.now() - answered)))
    : connected(pc).then(() => performance.now() - answered);
  await pc.setRemoteDescription({ type: 'answer', sdp: text });
  const gaps = [];
  if (plays) picture.then(() => watch(performance.now()));
  const sampling = setInterval(async () => globalThis.tell({ sample: await sample() }), SAMPLE);
  const late = new Promise((done) => setTimeout(() => done(null), BEGIN));
  const first = await Promise.race([picture, late]);
  const restarted = restart ? await restartIce() : null;
  await new Promise((done) => setTimeout(done, seconds * 1000));
  clearInterval(sampling);
  const stats = [...(await pc.getStats()).values()];
  const of = (type, kind) => stats.find((entry) => entry.type === type && entry.kind === kind) ?? {};
  const codecs = stats.filter((entry) => entry.type === 'codec').map((entry) => entry.mimeType);
  const deleted = await fetch(location, { method: 'DELETE' });
  return {
    status: answer.status,
    etag: answer.headers.get('etag'),
    first,
    state: pc.connectionState,
    gaps,
    codecs,
    video: of(direction, 'video'),
    audio: of(direction, 'audio'),
    layers: stats.filter((entry) => entry.type === direction && entry.kind === 'video'),
    transport: stats.find((entry) => entry.type === 'transport') ?? {},
    sdp: text,
    deleted: deleted.status,
    restarted,
  };

  /** New credentials both ways; the rest of the session stays as it was agreed on (RFC 9725 4.3.3). */
  async function restartIce() {
    pc.restartIce();
    await pc.setLocalDescription(await pc.createOffer());
    const line = (sdp, name) => sdp.match(new RegExp(`^a=${name}:(.*?)\\r?$`, 'm'))[1];
    const own = pc.localDescription.sdp;
    const patched = await fetch(location, {
      method: 'PATCH',
      headers: { 'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': '*' },
      body: `a=ice-ufrag:${line(own, 'ice-ufrag')}\r\na=ice-pwd:${line(own, 'ice-pwd')}\r\n`,
    });
    const fragment = await patched.text();
    const renewed = text
      .replaceAll(/^a=ice-ufrag:.*?\r?$/gm, `a=ice-ufrag:${line(fragment, 'ice-ufrag')}`)
      .replaceAll(/^a=ice-pwd:.*?\r?$/gm, `a=ice-pwd:${line(fragment, 'ice-pwd')}`);
    await pc.setRemoteDescription({ type: 'answer', sdp: renewed.replaceAll(/\r?\n/g, '\r\n') });
    return { status: patched.status, etag: patched.headers.get('etag') };
  }

  async function sample() {
    const now = [...(await pc.getStats()).values()];
    const entry = (kind) => now.find((one) => one.type === direction && one.kind === kind) ?? {};
    return { at: performance.now(), state: pc.connectionState, video: entry('video'), audio: entry('audio') };
  }

  /** Notes when no new picture came for long: when that ended, and how long it was. */
  function watch(before) {
    video.requestVideoFrameCallback((now) => {
      if (now - before > GAP) gaps.push({ at: now, ms: now - before });
      watch(now);
    });
  }

  function connected(peer) {
    return new Promise((done) => {
      peer.onconnectionstatechange = () => peer.connectionState === 'connected' && done();
    });
  }
}
