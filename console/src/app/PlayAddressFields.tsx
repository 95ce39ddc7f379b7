/** Where a stream can be watched, each address to copy or to scan. */
import { useTranslation } from 'react-i18next';
import { CopyField } from '../components/CopyField';
import { type MediaServer, playAddresses } from '../media/address';
import type { StreamName } from '../media/name';
import classes from './PublishFields.module.css';

export function PlayAddressFields({ media, name }: { media: MediaServer; name: StreamName }) {
  const { t } = useTranslation();
  const { rtmp, flv, ws, hls, whep } = playAddresses(media, name);
  return (
    <div className={classes.fields}>
      {hls && <CopyField label={t('player.hls')} value={hls} qr />}
      {flv && <CopyField label={t('player.flv')} value={flv} qr />}
      {ws && <CopyField label={t('player.ws')} value={ws} />}
      {whep && <CopyField label={t('player.whep')} value={whep} />}
      <CopyField label={t('player.rtmp')} value={rtmp} qr />
    </div>
  );
}
