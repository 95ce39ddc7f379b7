import { useTranslation } from 'react-i18next';
import { Sparkline } from '../../components/Sparkline';
import { useFormat } from '../../format/format';

/** Readings in a minute, at one every two seconds. */
const READINGS = 30;

/** The last minute of a stream's bitrate. */
export function BitrateLine({ values, height }: { values: readonly number[]; height?: number }) {
  const { t } = useTranslation();
  const format = useFormat();
  const label =
    values.length < 2
      ? t('live.bitrateNew')
      : t('live.bitrateLine', {
          min: format.bitrate(Math.min(...values)),
          max: format.bitrate(Math.max(...values)),
        });
  return <Sparkline values={values} capacity={READINGS} label={label} height={height} />;
}
