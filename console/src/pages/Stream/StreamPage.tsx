/** One stream: its picture beside its numbers, its addresses, its clients. */
import { Loader, Text } from '@mantine/core';
import { IconArrowLeft } from '@tabler/icons-react';
import { getRouteApi } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { ApiNotice } from '../../app/ApiNotice';
import { Page } from '../../app/Page';
import { PlayAddressFields } from '../../app/PlayAddressFields';
import { PublishFields } from '../../app/PublishFields';
import { nameOfSplat, to } from '../../app/paths';
import { AnchorLink } from '../../components/links';
import { Notice } from '../../components/Notice';
import { Panel } from '../../components/Panel';
import { StatusDot } from '../../components/StatusDot';
import { useDescribe } from '../../live/describe';
import { mediaServer } from '../../live/mediaServer';
import { useConsoleInfo, useLiveStreams } from '../../live/queries';
import type { LiveStream } from '../../live/stream';
import { DEFAULT_VHOST, type StreamName, sameStream } from '../../media/name';
import { ClientsPanel } from './ClientsPanel';
import { PlayerPanel } from './PlayerPanel';
import { StreamNumbers } from './StreamNumbers';
import classes from './StreamPage.module.css';

const route = getRouteApi('/streams/$');

export function StreamPage() {
  const { t } = useTranslation();
  const { _splat = '' } = route.useParams();
  const { vhost } = route.useSearch();
  const name = nameOfSplat(_splat, vhost);
  const streams = useLiveStreams();
  const stream = streams.data?.find((each) => sameStream(each.name, name));
  const describe = useDescribe();

  return (
    <Page
      title={name.stream}
      above={<Above name={name} />}
      state={
        stream && (
          <StatusDot
            status={stream.health.level}
            level={describe.level(stream.health)}
            reason={describe.reason(stream.health)}
          />
        )
      }
    >
      {streams.error && !streams.data && (
        <ApiNotice error={streams.error} retry={() => void streams.refetch()} />
      )}
      {streams.isPending && <Waiting />}
      {streams.data && !stream && (
        <Notice kind="info" title={t('stream.goneTitle')} text={t('stream.goneText', { name: name.stream })}>
          <PublishFields name={name} />
        </Notice>
      )}
      {stream && <Live stream={stream} />}
    </Page>
  );
}

function Above({ name }: { name: StreamName }) {
  const { t } = useTranslation();
  return (
    <div className={classes.above}>
      <AnchorLink {...to.live()} className={classes.back}>
        <IconArrowLeft size={16} aria-hidden />
        {t('stream.back')}
      </AnchorLink>
      <Text c="dimmed" size="sm">
        {name.vhost === DEFAULT_VHOST
          ? name.app
          : `${name.app} · ${t('stream.vhost', { vhost: name.vhost })}`}
      </Text>
    </div>
  );
}

function Waiting() {
  const { t } = useTranslation();
  return (
    <div className={classes.waiting} role="status">
      <Loader size="sm" aria-hidden />
      <Text c="dimmed">{t('stream.loading')}</Text>
    </div>
  );
}

function Live({ stream }: { stream: LiveStream }) {
  const { t } = useTranslation();
  const info = useConsoleInfo();
  const media = info.data && mediaServer(info.data, window.location);
  return (
    <div className={classes.columns}>
      <div className={classes.main}>
        {info.data && media && (
          <PlayerPanel stream={stream} media={media} hlsFragmentSeconds={info.data.hls_fragment_s} />
        )}
        {info.error && !info.data && <ApiNotice error={info.error} retry={() => void info.refetch()} />}
      </div>
      <div className={classes.side}>
        <Panel title={t('stream.numbers')}>
          <StreamNumbers stream={stream} />
        </Panel>
        {media && (
          <Panel title={t('stream.addresses')} hint={t('stream.addressesHint')}>
            <PlayAddressFields media={media} name={stream.name} />
          </Panel>
        )}
      </div>
      <div className={classes.clients}>
        <ClientsPanel stream={stream} />
      </div>
    </div>
  );
}
