/** How to send a stream here, with every line ready to copy. */
import { SegmentedControl, Skeleton, TextInput } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiNotice } from '../../app/ApiNotice';
import { Page } from '../../app/Page';
import { PublishFields } from '../../app/PublishFields';
import { type PublishSearch, WAYS, type Way } from '../../app/search';
import { useBroadcast } from '../../broadcast/useBroadcast';
import { CopyField } from '../../components/CopyField';
import { Panel } from '../../components/Panel';
import { mediaServer } from '../../live/mediaServer';
import { useConsoleInfo } from '../../live/queries';
import { type MediaServer, publishAddress, whipAddress } from '../../media/address';
import { type StreamName, streamName } from '../../media/name';
import { ffmpegFile, ffmpegTestPicture } from './ffmpeg';
import classes from './PublishPage.module.css';
import { ThenWatch } from './ThenWatch';

const route = getRouteApi('/publish');

export function PublishPage() {
  const { t } = useTranslation();
  const {
    host = window.location.hostname,
    app = 'live',
    stream = 'livestream',
    way = 'programs',
  } = route.useSearch();
  const { data, error, refetch } = useConsoleInfo();
  const { phase, target } = useBroadcast();
  const live = way === 'browser' && phase !== 'off';
  const name = (live && target?.name) || streamName(undefined, app, stream);
  return (
    <Page title={t('publish.title')} state={t('publish.lead')}>
      <div className={classes.page}>
        <WaySwitch way={way} />
        <Destination host={way === 'programs' ? host : null} name={name} fixed={live} />
        {error && !data && <ApiNotice error={error} retry={() => void refetch()} />}
        {!data && !error && <Skeleton height={320} />}
        {data && way === 'programs' && (
          <Programs media={mediaServer(data, window.location, host)} name={name} />
        )}
        {data && way === 'browser' && (
          <Suspense fallback={<Skeleton height={320} />}>
            <BrowserWay media={mediaServer(data, window.location)} name={name} />
          </Suspense>
        )}
      </div>
    </Page>
  );
}

const BrowserWay = lazy(async () => ({ default: (await import('./BrowserWay')).BrowserWay }));

function WaySwitch({ way }: { way: Way }) {
  const { t } = useTranslation();
  const navigate = route.useNavigate();
  return (
    <SegmentedControl
      className={classes.way}
      aria-label={t('publish.way')}
      value={way}
      onChange={(value) =>
        void navigate({ search: (before) => ({ ...before, way: value as Way }), replace: true })
      }
      data={WAYS.map((value) => ({ value, label: t(`publish.ways.${value}`) }))}
    />
  );
}

interface DestinationProps {
  /** Null where it is no choice: this page sends to the server that it came from. */
  host: string | null;
  name: StreamName;
  /** A broadcast is under way. */
  fixed: boolean;
}

function Destination({ host, name, fixed }: DestinationProps) {
  const { t } = useTranslation();
  const navigate = route.useNavigate();
  const change = (part: PublishSearch) =>
    void navigate({ search: (before) => ({ ...before, ...part }), replace: true });
  return (
    <Panel title={t('publish.where')}>
      <div className={classes.destination}>
        {host !== null && (
          <TextInput
            label={t('publish.host')}
            description={t('publish.hostHint')}
            inputWrapperOrder={BELOW}
            defaultValue={host}
            onChange={(event) => change({ host: event.currentTarget.value.trim() })}
          />
        )}
        <TextInput
          label={t('publish.app')}
          description={t('publish.appHint')}
          inputWrapperOrder={BELOW}
          key={fixed ? name.app : 'app'}
          disabled={fixed}
          defaultValue={name.app}
          onChange={(event) => change({ app: event.currentTarget.value.trim() })}
        />
        <TextInput
          label={t('publish.stream')}
          description={t('publish.streamHint')}
          inputWrapperOrder={BELOW}
          key={fixed ? name.stream : 'stream'}
          disabled={fixed}
          defaultValue={name.stream}
          onChange={(event) => change({ stream: event.currentTarget.value.trim() })}
        />
      </div>
    </Panel>
  );
}

/** The hint under its field keeps the fields in one line. */
const BELOW: ('label' | 'input' | 'description' | 'error')[] = ['label', 'input', 'description', 'error'];

function Programs({ media, name }: { media: MediaServer; name: StreamName }) {
  const { t } = useTranslation();
  const { url } = publishAddress(media, name);
  const whip = whipAddress(media, name);
  return (
    <div className={classes.columns}>
      <div className={classes.column}>
        <Panel title={t('publish.obs')} hint={t('publish.obsText')}>
          <PublishFields name={name} host={media.host} />
          {whip && (
            <div className={classes.more}>
              <CopyField label={t('publish.whip')} value={whip} />
            </div>
          )}
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
        <ThenWatch media={media} name={name} />
      </div>
    </div>
  );
}
