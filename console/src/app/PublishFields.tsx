/** Server and stream key, apart, as OBS asks for them. */
import { Skeleton } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { CopyField } from '../components/CopyField';
import { mediaServer } from '../live/mediaServer';
import { useConsoleInfo } from '../live/queries';
import { publishAddress } from '../media/address';
import type { StreamName } from '../media/name';
import { ApiNotice } from './ApiNotice';
import classes from './PublishFields.module.css';

export function PublishFields({ name, host }: { name: StreamName; host?: string }) {
  const { t } = useTranslation();
  const { data, error, refetch } = useConsoleInfo();
  if (error && !data) return <ApiNotice error={error} retry={() => void refetch()} />;
  if (!data) return <Skeleton height={124} />;
  const { server, key } = publishAddress(mediaServer(data, window.location, host), name);
  return (
    <div className={classes.fields}>
      <CopyField label={t('publish.server')} value={server} />
      <CopyField label={t('publish.key')} value={key} />
    </div>
  );
}
