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
            value: stats.behindLive === null ? none : format.seconds(stats.behindLive, 1),
          },
          { label: t('player.buffer'), value: format.seconds(stats.bufferAhead, 1) },
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

  function stalls({ stalls: count, stalledSeconds }: PlayerStats): string {
    if (count === 0) return format.number(0);
    return t('player.stallsValue', { count, time: format.seconds(stalledSeconds, 1) });
  }
}
