/** Several sounds as one, and how loud it is. */

/** Quieter than this, in dB below the loudest, counts as silence. */
const SILENCE_DB = -60;

/**
 * Invariant: `mix` gives back a track alone as it is, because sound that goes through here comes a little later than
 * the picture.
 */
export class Sound {
  private context: AudioContext | null = null;
  private analyser: AnalyserNode | null = null;
  private sources: AudioNode[] = [];
  private samples = new Float32Array(1024);

  /** One track of all of them, or null of none. To be called from a click: browsers keep sound off before. */
  mix(tracks: MediaStreamTrack[]): MediaStreamTrack | null {
    for (const source of this.sources.splice(0)) source.disconnect();
    const [first] = tracks;
    if (!first) return null;
    const context = this.started();
    if (!context || !this.analyser) return first;
    this.sources = tracks.map((track) => context.createMediaStreamSource(new MediaStream([track])));
    for (const source of this.sources) source.connect(this.analyser);
    if (tracks.length === 1) return first;
    const out = context.createMediaStreamDestination();
    for (const source of this.sources) source.connect(out);
    return out.stream.getAudioTracks()[0] ?? first;
  }

  /** 0 is silence, 1 as loud as can be. */
  level(): number {
    if (!this.analyser || this.sources.length === 0) return 0;
    this.analyser.getFloatTimeDomainData(this.samples);
    const power = this.samples.reduce((sum, sample) => sum + sample * sample, 0) / this.samples.length;
    const decibels = 10 * Math.log10(power);
    return Math.min(1, Math.max(0, 1 - decibels / SILENCE_DB));
  }

  close(): void {
    this.mix([]);
    void this.context?.close();
    this.context = null;
    this.analyser = null;
  }

  private started(): AudioContext | null {
    if (this.context || typeof AudioContext !== 'function') return this.context;
    this.context = new AudioContext();
    this.analyser = this.context.createAnalyser();
    this.analyser.fftSize = this.samples.length * 2;
    return this.context;
  }
}
