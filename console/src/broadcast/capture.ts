/** What this computer shows and hears for a broadcast: one picture, and any sounds as one. */
import {
  constraintsOf,
  type DeviceProblem,
  type Devices,
  listDevices,
  mayCapture,
  NO_DEVICES,
  openDevices,
  openScreen,
  type Picture,
  type PictureSize,
  problemOf,
} from './devices';
import { Sound } from './sound';
import { Store } from './store';

interface Captured {
  of: 'camera' | 'microphone' | 'screen';
  track: MediaStreamTrack;
}

export interface CaptureState {
  /** The reader is being asked for devices. */
  opening: boolean;
  picture: Picture;
  captured: readonly Captured[];
  /** The picture alone: hearing oneself would howl. */
  preview: MediaStream | null;
  devices: Devices;
  /** Ids of the devices in use, or of the last ones. */
  camera: string;
  microphone: string;
  muted: boolean;
  /** The picture is black for now. */
  hidden: boolean;
  size: PictureSize;
  problem: DeviceProblem | null;
}

/** What is sent. */
export interface OutTracks {
  picture: MediaStreamTrack | null;
  sound: MediaStreamTrack | null;
}

const NOTHING: Pick<
  CaptureState,
  'opening' | 'picture' | 'captured' | 'preview' | 'problem' | 'muted' | 'hidden'
> = {
  opening: false,
  picture: 'none',
  captured: [],
  preview: null,
  problem: null,
  muted: false,
  hidden: false,
};

export class Capture extends Store<CaptureState> {
  private readonly sound = new Sound();
  private mixed: MediaStreamTrack | null = null;

  constructor() {
    const size: PictureSize = { height: 720, rate: 30 };
    super({ ...NOTHING, devices: NO_DEVICES, camera: '', microphone: '', size });
  }

  /** Shows a camera, a screen, or nothing, with the microphone. To be called from a click. */
  async show(picture: Picture, camera = this.snapshot().camera): Promise<void> {
    await this.attempt(picture, async () => {
      const { size, captured, microphone } = this.snapshot();
      const there = await listDevices();
      const hears = captured.some(({ of }) => of === 'microphone');
      const listens = !hears && there.microphones.length > 0;
      const lacks =
        picture === 'camera' ? there.cameras.length === 0 : picture === 'none' && !hears && !listens;
      if (lacks) throw new DOMException('', 'NotFoundError');
      const screen = picture === 'screen' ? await openScreen(size) : [];
      const devices = await openDevices(
        picture === 'camera' ? camera : undefined,
        listens ? microphone : undefined,
        size,
      );
      this.take(
        [...screen.map((track) => ({ of: 'screen', track }) as const), ...devices.map(ofDevice)],
        ({ of }) => of === 'microphone',
      );
      this.set({ picture, hidden: false, devices: await listDevices() });
    });
  }

  async listen(microphone: string): Promise<void> {
    await this.attempt('none', async () => {
      const tracks = await openDevices(undefined, microphone, this.snapshot().size);
      this.take(tracks.map(ofDevice), ({ of }) => of !== 'microphone');
    });
  }

  mute(muted: boolean): void {
    this.enable('audio', !muted);
    this.set({ muted });
  }

  hide(hidden: boolean): void {
    this.enable('video', !hidden);
    this.set({ hidden });
  }

  async resize(size: PictureSize): Promise<void> {
    this.set({ size });
    // A device that cannot do it stays as near as it can.
    await this.tracks()
      .picture?.applyConstraints(constraintsOf(size))
      .catch(() => {});
  }

  tracks(): OutTracks {
    const picture = this.snapshot().captured.find(({ track }) => track.kind === 'video');
    return { picture: picture?.track ?? null, sound: this.mixed };
  }

  /** How loud it is, 0 to 1. */
  level(): number {
    return this.snapshot().muted ? 0 : this.sound.level();
  }

  /** Gives the devices back. */
  release(): void {
    for (const { track } of this.snapshot().captured) track.stop();
    this.sound.close();
    this.mixed = null;
    this.set(NOTHING);
  }

  private async attempt(picture: Picture, act: () => Promise<void>): Promise<void> {
    if (!mayCapture()) {
      this.set({ problem: 'insecure' });
      return;
    }
    this.set({ opening: true, problem: null });
    try {
      await act();
    } catch (cause) {
      this.set({ problem: problemOf(cause, picture) });
    } finally {
      this.set({ opening: false });
    }
  }

  /** Takes what is new and of the old what `stays`; the rest is given back. */
  private take(fresh: Captured[], stays: (old: Captured) => boolean): void {
    const { captured, muted, hidden } = this.snapshot();
    const kept = captured.filter(stays);
    for (const old of captured) if (!kept.includes(old)) old.track.stop();
    const all = [...kept, ...fresh];
    const picture = all.find(({ track }) => track.kind === 'video')?.track;
    this.mixed = this.sound.mix(all.map(({ track }) => track).filter(({ kind }) => kind === 'audio'));
    for (const { track } of fresh) track.addEventListener('ended', () => this.set({ problem: 'ended' }));
    this.set({
      captured: all,
      preview: picture ? new MediaStream([picture]) : null,
      camera: idOf(fresh, 'camera') ?? this.snapshot().camera,
      microphone: idOf(fresh, 'microphone') ?? this.snapshot().microphone,
    });
    this.mute(muted);
    this.hide(hidden);
  }

  private enable(kind: string, enabled: boolean): void {
    for (const { track } of this.snapshot().captured) if (track.kind === kind) track.enabled = enabled;
  }
}

function ofDevice(track: MediaStreamTrack): Captured {
  return { of: track.kind === 'video' ? 'camera' : 'microphone', track };
}

function idOf(captured: Captured[], of: Captured['of']): string | undefined {
  return captured.find((each) => each.of === of)?.track.getSettings().deviceId;
}
