import { useTranslation } from 'react-i18next';
import { Numbers } from '../../components/Numbers';
import { useFormat } from '../../format/format';
import { useDescribe } from '../../live/describe';
import type { LiveStream } from '../../live/stream';
import { BitrateLine } from '../Live/BitrateLine';
import { Uptime } from '../Live/Uptime';

/** What the server says about the stream. */
export function StreamNumbers({ stream }: { stream: LiveStream }) {
  const { t } = useTranslation();
  const format = useFormat();
  const describe = useDescribe();
  return (
    <>
      <Numbers
        entries={[
          { label: t('number.video'), value: describe.video(stream) },
          { label: t('number.resolution'), value: describe.size(stream) || t('unit.none') },
          { label: t('number.audio'), value: describe.audio(stream) },
          { label: t('number.channels'), value: describe.channels(stream) || t('unit.none') },
          { label: t('number.viewers'), value: format.number(stream.viewers) },
          { label: t('number.uptime'), value: <Uptime since={stream.since} /> },
          { label: t('number.jumps'), value: format.number(stream.jumps) },
          { label: t('number.out'), value: format.bitrate(stream.outKbps) },
          { label: t('number.in'), value: format.bitrate(stream.inKbps) },
        ]}
      />
      <BitrateLine values={stream.lastMinute} height={56} />
    </>
  );
}
