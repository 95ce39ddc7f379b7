/** WHEP: the server's packets as they come, with the browser's own WebRTC. The lowest delay there is. */
import { Connection, supported } from '../webrtc/connection';
import { type Entry, type Incoming, Readings } from '../webrtc/readings';
import { NOTHING, type Player, type PlayerStats, type ProblemListener } from './player';
import { Problems, play } from './problems';

/** From connected to the first picture, in ms. The server has a key frame, or asks the publisher for one. */
const PICTURE_LIMIT_MS = 8_000;

export function createWhepPlayer(): Player {
  return new WhepPlayer();
}

class WhepPlayer implements Player {
  private readonly problems = new Problems();
  private readonly readings = new Readings();
  private connection: Connection | null = null;
  private video: HTMLVideoElement | null = null;
  private limit: ReturnType<typeof setTimeout> | undefined;
  private incoming: Incoming | null = null;
  private reading = false;

  open(video: HTMLVideoElement, url: string): void {
    if (!supported()) {
      this.problems.tell('unsupported');
      return;
    }
    const connection = new Connection('play', {
      connected: () => this.awaitPicture(),
      failed: (evidence) => this.problems.tell('webrtc', evidence),
    });
    const media = new MediaStream();
    connection.peer.addTransceiver('audio', { direction: 'recvonly' });
    connection.peer.addTransceiver('video', { direction: 'recvonly' });
    connection.peer.addEventListener('track', ({ track, receiver }) => {
      // No more waiting than the network needs.
      if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = 0;
      media.addTrack(track);
    });
    video.srcObject = media;
    this.video = video;
    this.connection = connection;
    void connection.open(url);
    play(video, this.problems);
  }

  close(): void {
    clearTimeout(this.limit);
    this.connection?.close();
    this.connection = null;
    if (this.video) this.video.srcObject = null;
    this.video = null;
  }

  stats(): PlayerStats {
    void this.read();
    const { incoming, video } = this;
    if (!incoming || !video) return NOTHING;
    const { roundTrip, buffer } = incoming;
    return {
      bufferAhead: buffer,
      // Half the way there and back, and the wait here.
      behindLive: roundTrip === null ? null : roundTrip / 2 + buffer,
      stalls: incoming.freezes,
      stalledSeconds: incoming.frozenSeconds,
      decodedFrames: incoming.decoded,
      droppedFrames: incoming.dropped,
      fps: incoming.fps,
      width: video.videoWidth,
      height: video.videoHeight,
    };
  }

  onProblem(listener: ProblemListener): () => void {
    return this.problems.on(listener);
  }

  private awaitPicture(): void {
    const { video } = this;
    const done = () => clearTimeout(this.limit);
    video?.addEventListener('playing', done, { once: true });
    this.limit = setTimeout(() => void this.unseen(), PICTURE_LIMIT_MS);
  }

  /** Connected, but there is no picture: tells what came instead. */
  private async unseen(): Promise<void> {
    const { connection } = this;
    if (!connection || (this.video?.videoWidth ?? 0) > 0) return;
    await this.read();
    const { packets = 0, decoded = 0 } = this.incoming ?? {};
    this.problems.tell('webrtc', { ...connection.evidence(), lost: false, received: { packets, decoded } });
  }

  /** One question at a time; the browser takes its time to answer. */
  private async read(): Promise<void> {
    const { connection } = this;
    if (!connection || this.reading) return;
    this.reading = true;
    try {
      const report = await connection.peer.getStats();
      this.incoming = this.readings.incoming(report.values() as Iterable<Entry>, performance.now());
    } finally {
      this.reading = false;
    }
  }
}
