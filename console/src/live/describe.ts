/** A stream's tracks and state in words, the same on every page. */
import { useTranslation } from 'react-i18next';
import { useFormat } from '../format/format';
import type { Health } from './health';
import type { LiveStream } from './stream';

export function useDescribe() {
  const { t } = useTranslation();
  const format = useFormat();
  return {
    /** Codec and profile: "H264 High". */
    video: ({ video }: LiveStream) =>
      video ? t('track.video', { ...video, profile: profile(video.profile) }).trim() : t('track.noVideo'),
    /** "1280 × 720", or empty while unknown. */
    size: ({ video }: LiveStream) => (video && video.width > 0 ? t('track.size', video) : ''),
    /** Codec and rate: "AAC, 44.1 kHz". */
    audio: ({ audio }: LiveStream) =>
      audio
        ? t('track.audio', { codec: audio.codec, rate: format.sampleRate(audio.sample_rate) })
        : t('track.noAudio'),
    channels: ({ audio }: LiveStream) => (audio ? channels(audio.channel) : ''),
    reason: ({ reason }: Health) => t(reason.key, { ...reason }),
    level: ({ level }: Health) => t(`level.${level}`),
  };

  function channels(count: number): string {
    if (count === 1) return t('track.mono');
    return count === 2 ? t('track.stereo') : t('track.channels', { count });
  }
}

/** "Baseline(Constrained)" can break at the bracket; "Other" says nothing. */
function profile(text: string): string {
  return text === 'Other' ? '' : text.replace(/\(/, ' (');
}
