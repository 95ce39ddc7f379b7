/** Video codecs that this browser can send and the server takes. */

/** As the server's `codec` parameter spells them, in the order of how many viewers can play them. */
const PARAMETERS = { H264: 'h264', VP8: 'vp8', VP9: 'vp9', H265: 'hevc', AV1: 'av1' } as const;
export type SentCodec = keyof typeof PARAMETERS;

export function sendableCodecs(): SentCodec[] {
  const able = capabilities().map(nameOf);
  return (Object.keys(PARAMETERS) as SentCodec[]).filter((name) => able.includes(name));
}

export function parameterOf(codec: SentCodec): string {
  return PARAMETERS[codec];
}

/** All that the browser can send, `codec` first. */
export function preferring(codec: SentCodec): RTCRtpCodec[] {
  const all = capabilities();
  const first = all.filter((each) => nameOf(each) === codec);
  return [...first, ...all.filter((each) => !first.includes(each))];
}

function capabilities(): RTCRtpCodec[] {
  if (typeof RTCRtpSender !== 'function') return [];
  return RTCRtpSender.getCapabilities('video')?.codecs ?? [];
}

function nameOf({ mimeType }: RTCRtpCodec): string {
  return mimeType.replace(/^video\//, '').toUpperCase();
}
