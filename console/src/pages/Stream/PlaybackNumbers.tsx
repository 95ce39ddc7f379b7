import { useTranslation } from 'react-i18next';
import { Numbers } from '../../components/Numbers';
import { useFormat } from '../../format/format';
import type { PlayerStats } from '../../players/player';
import classes from './PlaybackNumbers.module.css';

/** What the browser says about playing. */
export function PlaybackNumbers({ stats }: { stats: PlayerStats }) {
  const { t } = useTranslation();
  const format = useFormat();
  const none = t('unit.none');
  return (
    <div className={classes.numbers}>
      <Numbers
        entries={[
          {
            label: t('player.behind'),
            value: stats.behindLive === null ? none : delay(stats.behindLive),
          },
          { label: t('player.buffer'), value: delay(stats.bufferAhead) },
          {
            label: t('player.stalls'),
            value: stalls(stats),
          },
          { label: t('player.dropped'), value: format.number(stats.droppedFrames) },
          { label: t('player.fps'), value: t('unit.fps', { value: format.number(stats.fps) }) },
          {
            label: t('player.size'),
            value: stats.width > 0 ? t('track.size', { width: stats.width, height: stats.height }) : none,
          },
        ]}
      />
    </div>
  );

  /** WebRTC's delays are no tenths of a second. */
  function delay(seconds: number): string {
    const short = seconds > 0 && seconds < 0.1;
    return short ? format.milliseconds(seconds) : format.seconds(seconds, 1);
  }

  function stalls({ stalls: count, stalledSeconds }: PlayerStats): string {
    if (count === 0) return format.number(0);
    return t('player.stallsValue', { count, time: format.seconds(stalledSeconds, 1) });
  }
}
