/** ffmpeg commands that publish. H.264 with AAC and a key frame every two seconds play everywhere. */

const ENCODE = '-c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -g 50 -c:a aac -b:a 128k';

/** Characters that a shell takes as they are. */
const PLAIN = /^[\w@%+=:,./-]+$/;

export function ffmpegFile(url: string): string {
  return `ffmpeg -re -stream_loop -1 -i video.mp4 ${ENCODE} -f flv ${quoted(url)}`;
}

export function ffmpegTestPicture(url: string): string {
  const inputs = '-f lavfi -i testsrc2=size=1280x720:rate=25 -f lavfi -i sine=frequency=440';
  return `ffmpeg -re ${inputs} ${ENCODE} -f flv ${quoted(url)}`;
}

/** Safe to paste into a POSIX shell whatever the stream is called. */
function quoted(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
