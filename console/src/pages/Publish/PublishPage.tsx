/** How to send a stream here, with every line ready to copy. */
import { Skeleton, TextInput } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { ApiNotice } from '../../app/ApiNotice';
import { Page } from '../../app/Page';
import { PlayAddressFields } from '../../app/PlayAddressFields';
import { PublishFields } from '../../app/PublishFields';
import { to } from '../../app/paths';
import type { PublishSearch } from '../../app/search';
import { CopyField } from '../../components/CopyField';
import { ButtonLink } from '../../components/links';
import { Panel } from '../../components/Panel';
import { mediaServer } from '../../live/mediaServer';
import { useConsoleInfo } from '../../live/queries';
import { type MediaServer, publishAddress } from '../../media/address';
import { type StreamName, streamName } from '../../media/name';
import { ffmpegFile, ffmpegTestPicture } from './ffmpeg';
import classes from './PublishPage.module.css';

const route = getRouteApi('/publish');

export function PublishPage() {
  const { t } = useTranslation();
  const { host = window.location.hostname, app = 'live', stream = 'livestream' } = route.useSearch();
  const { data, error, refetch } = useConsoleInfo();
  const name = streamName(undefined, app, stream);
  return (
    <Page title={t('publish.title')} state={t('publish.lead')}>
      <div className={classes.page}>
        <Destination host={host} name={name} />
        {error && !data && <ApiNotice error={error} retry={() => void refetch()} />}
        {!data && !error && <Skeleton height={320} />}
        {data && <Ways media={mediaServer(data, window.location, host)} name={name} />}
      </div>
    </Page>
  );
}

function Destination({ host, name }: { host: string; name: StreamName }) {
  const { t } = useTranslation();
  const navigate = route.useNavigate();
  const change = (part: PublishSearch) =>
    void navigate({ search: (before) => ({ ...before, ...part }), replace: true });
  return (
    <Panel title={t('publish.where')}>
      <div className={classes.destination}>
        <TextInput
          label={t('publish.host')}
          description={t('publish.hostHint')}
          inputWrapperOrder={BELOW}
          defaultValue={host}
          onChange={(event) => change({ host: event.currentTarget.value.trim() })}
        />
        <TextInput
          label={t('publish.app')}
          description={t('publish.appHint')}
          inputWrapperOrder={BELOW}
          defaultValue={name.app}
          onChange={(event) => change({ app: event.currentTarget.value.trim() })}
        />
        <TextInput
          label={t('publish.stream')}
          description={t('publish.streamHint')}
          inputWrapperOrder={BELOW}
          defaultValue={name.stream}
          onChange={(event) => change({ stream: event.currentTarget.value.trim() })}
        />
      </div>
    </Panel>
  );
}

/** The hint under its field keeps the fields in one line. */
const BELOW: ('label' | 'input' | 'description' | 'error')[] = ['label', 'input', 'description', 'error'];

function Ways({ media, name }: { media: MediaServer; name: StreamName }) {
  const { t } = useTranslation();
  const { url } = publishAddress(media, name);
  return (
    <div className={classes.columns}>
      <div className={classes.column}>
        <Panel title={t('publish.obs')} hint={t('publish.obsText')}>
          <PublishFields name={name} host={media.host} />
        </Panel>
        <Panel title={t('publish.ffmpeg')}>
          <div className={classes.fields}>
            <CopyField label={t('publish.ffmpegFile')} value={ffmpegFile(url)} />
            <CopyField label={t('publish.ffmpegTest')} value={ffmpegTestPicture(url)} />
          </div>
        </Panel>
      </div>
      <div className={classes.column}>
        <Panel title={t('publish.phone')} hint={t('publish.phoneText')}>
          <CopyField label={t('publish.url')} value={url} qr />
        </Panel>
        <Panel title={t('publish.then')} hint={t('publish.thenText')}>
          <PlayAddressFields media={media} name={name} />
          <ButtonLink {...to.stream(name)} mt="md">
            {t('publish.watch')}
          </ButtonLink>
        </Panel>
      </div>
    </div>
  );
}
