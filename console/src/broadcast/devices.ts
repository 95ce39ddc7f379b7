/** Cameras, microphones and screens of this computer, and why one of them cannot be had. */

/** What is shown. */
export type Picture = 'camera' | 'screen' | 'none';

/**
 * - `insecure`: the browser keeps devices from pages that came over plain HTTP
 * - `denied`: the reader, the browser or the system said no
 * - `notShared`: no screen was chosen
 * - `absent`: there is no such device
 * - `busy`: another program holds it, or it does not work
 * - `ended`: it was unplugged, or is not shared any more
 */
export type DeviceProblem = 'insecure' | 'denied' | 'notShared' | 'absent' | 'busy' | 'ended';

export interface Device {
  id: string;
  /** Empty until the reader has allowed devices of its kind. */
  label: string;
}

export interface Devices {
  cameras: Device[];
  microphones: Device[];
}

export const NO_DEVICES: Devices = { cameras: [], microphones: [] };

/** Height of the picture in lines; the width follows at 16:9. */
export const HEIGHTS = [360, 480, 720, 1080, 1440, 2160] as const;
export type Height = (typeof HEIGHTS)[number];
export const RATES = [10, 15, 25, 30, 60] as const;
export type Rate = (typeof RATES)[number];

export interface PictureSize {
  height: Height;
  /** Pictures a second. */
  rate: Rate;
}

export function mayCapture(): boolean {
  return window.isSecureContext !== false && typeof navigator.mediaDevices?.getUserMedia === 'function';
}

/** Phones cannot share their screen from a page. */
export function mayShareScreen(): boolean {
  return mayCapture() && typeof navigator.mediaDevices.getDisplayMedia === 'function';
}

export async function listDevices(): Promise<Devices> {
  const all = await navigator.mediaDevices.enumerateDevices();
  const of = (kind: MediaDeviceKind) =>
    all.filter((each) => each.kind === kind).map(({ deviceId, label }) => ({ id: deviceId, label }));
  return { cameras: of('videoinput'), microphones: of('audioinput') };
}

/** Camera and microphone with one question to the reader; undefined leaves one out, '' takes the usual one. */
export async function openDevices(
  camera: string | undefined,
  microphone: string | undefined,
  size: PictureSize,
): Promise<MediaStreamTrack[]> {
  const stream = await navigator.mediaDevices.getUserMedia({
    video: camera === undefined ? false : { ...deviceOf(camera), ...constraintsOf(size) },
    audio: microphone === undefined ? false : deviceOf(microphone),
  });
  return stream.getTracks();
}

/** The picture of a screen or window, and its sound where the browser gives it. */
export async function openScreen({ rate }: PictureSize): Promise<MediaStreamTrack[]> {
  const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: rate }, audio: true });
  return stream.getTracks();
}

export function constraintsOf({ height, rate }: PictureSize): MediaTrackConstraints {
  return {
    width: { ideal: Math.round((height * 16) / 9 / 2) * 2 },
    height: { ideal: height },
    frameRate: { ideal: rate },
  };
}

/** Sizes and rates that a track can do, smallest first; all of them while it does not tell. */
export function offeredBy(track: MediaStreamTrack | null): { heights: Height[]; rates: Rate[] } {
  const able = track?.getCapabilities?.() ?? {};
  return { heights: upTo(HEIGHTS, able.height?.max), rates: upTo(RATES, able.frameRate?.max) };
}

/** The steps below what is possible, and the one that reaches it. */
function upTo<T extends number>(steps: readonly T[], most = Number.POSITIVE_INFINITY): T[] {
  const over = steps.findIndex((step) => step >= most);
  return steps.slice(0, over < 0 ? steps.length : over + 1);
}

export function problemOf(cause: unknown, picture: Picture): DeviceProblem {
  const name = typeof cause === 'object' && cause !== null && 'name' in cause ? cause.name : '';
  if (name === 'NotAllowedError' || name === 'SecurityError')
    return picture === 'screen' ? 'notShared' : 'denied';
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'absent';
  return name === 'TypeError' ? 'insecure' : 'busy';
}

function deviceOf(id: string): MediaTrackConstraints {
  return id === '' ? {} : { deviceId: { exact: id } };
}
