/** ffmpeg publishing a moving test picture with a tone, one key frame a second. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export const PICTURE = { width: 640, height: 360, fps: 25 };

const INPUTS = `-re -f lavfi -i testsrc2=size=${PICTURE.width}x${PICTURE.height}:rate=${PICTURE.fps} -f lavfi -i sine=frequency=440`;
const CODECS =
  '-c:v libx264 -profile:v high -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g 25 -b:v 600k -c:a aac -ar 44100 -b:a 96k';

export class Publisher {
  private readonly ffmpeg: ChildProcess;
  private readonly ended: Promise<unknown>;
  private lastWords = '';

  constructor(program: string, url: string) {
    const options = `-hide_banner -loglevel error ${INPUTS} ${CODECS} -f flv`.split(' ');
    this.ffmpeg = spawn(program, [...options, url], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.ffmpeg.stderr?.on('data', (bytes) => {
      this.lastWords = (this.lastWords + bytes).slice(-500);
    });
    this.ended = once(this.ffmpeg, 'exit');
  }

  /** Why ffmpeg ended by itself, or null while it runs. */
  failure(): string | null {
    return this.ffmpeg.exitCode === null ? null : `ffmpeg ended (${this.ffmpeg.exitCode}): ${this.lastWords}`;
  }

  async stop(): Promise<void> {
    if (this.ffmpeg.exitCode === null && this.ffmpeg.signalCode === null) this.ffmpeg.kill('SIGKILL');
    await this.ended;
  }
}
