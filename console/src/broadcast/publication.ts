/** One WHIP session that sends tracks: layers, bitrates, a codec, and tracks that change meanwhile. */
import { Connection, type ConnectionEvents } from '../webrtc/connection';
import { type Entry, type Outgoing, Readings } from '../webrtc/readings';
import { parameterOf, preferring, type SentCodec } from './codecs';
import type { PictureSize } from './devices';

export interface Sending {
  picture: MediaStreamTrack | null;
  sound: MediaStreamTrack | null;
  size: PictureSize;
  codec: SentCodec | null;
  /** Three sizes at once, for viewers on slower lines. */
  simulcast: boolean;
}

/** Most bits a second that a picture of so many lines gets; half as much again at 60 a second. */
const BITRATES: Record<PictureSize['height'], number> = {
  360: 900_000,
  480: 1_500_000,
  720: 3_000_000,
  1080: 5_000_000,
  1440: 9_000_000,
  2160: 16_000_000,
};

export class Publication {
  private readonly connection: Connection;
  private readonly readings = new Readings();

  constructor(events: ConnectionEvents) {
    this.connection = new Connection('publish', events);
  }

  open(url: string, sending: Sending): Promise<void> {
    const { peer } = this.connection;
    const { picture, sound, codec } = sending;
    // Sound first: the answer's addresses stand in the first section, and a section may be left out behind it.
    if (sound) peer.addTransceiver(sound, { direction: 'sendonly' });
    if (picture) {
      const video = peer.addTransceiver(picture, { direction: 'sendonly', sendEncodings: layers(sending) });
      if (codec) video.setCodecPreferences(preferring(codec));
    }
    const named = codec && picture ? `${url}&codec=${parameterOf(codec)}` : url;
    return this.connection.open(named);
  }

  /** Sends another track of the same kind from now on. */
  async replace(track: MediaStreamTrack): Promise<void> {
    const sender = this.connection.peer.getSenders().find((each) => each.track?.kind === track.kind);
    await sender?.replaceTrack(track);
  }

  /** Gives pictures of another size the bitrate that they need. */
  async resize(sending: Sending): Promise<void> {
    const sender = this.connection.peer.getSenders().find(({ track }) => track?.kind === 'video');
    if (!sender) return;
    const parameters = sender.getParameters();
    const wanted = layers(sending);
    parameters.encodings.forEach((encoding, index) => {
      Object.assign(encoding, { maxBitrate: wanted[index]?.maxBitrate });
    });
    await sender.setParameters(parameters);
  }

  async read(): Promise<Outgoing> {
    const report = await this.connection.peer.getStats();
    return this.readings.outgoing(report.values() as Iterable<Entry>, performance.now());
  }

  close(): void {
    this.connection.close();
  }
}

function layers({ size, simulcast }: Sending): RTCRtpEncodingParameters[] {
  const most = BITRATES[size.height] * (size.rate > 30 ? 1.5 : 1);
  if (!simulcast) return [{ maxBitrate: most }];
  return [
    { rid: 'h', maxBitrate: most },
    { rid: 'm', maxBitrate: most / 3, scaleResolutionDownBy: 2 },
    { rid: 'l', maxBitrate: most / 10, scaleResolutionDownBy: 4 },
  ];
}
