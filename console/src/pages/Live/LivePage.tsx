/** Home: every stream, how it is doing, one click from its picture. */
import { Button, Loader, Text } from '@mantine/core';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiNotice } from '../../app/ApiNotice';
import { Page } from '../../app/Page';
import { useFormat } from '../../format/format';
import { matching, sorted } from '../../live/order';
import { useLiveStreams } from '../../live/queries';
import type { LiveStream } from '../../live/stream';
import { FirstStream } from './FirstStream';
import classes from './LivePage.module.css';
import { StreamList } from './StreamList';
import { StreamWall } from './StreamWall';
import { Toolbar } from './Toolbar';
import { useWideScreen } from './useWideScreen';

const route = getRouteApi('/');

/** Streams shown before the reader asks for more: keeps a phone fluent on a server with thousands. */
const SHOWN_AT_ONCE = 60;

export function LivePage() {
  const { t } = useTranslation();
  const { data, error, refetch, dataUpdatedAt } = useLiveStreams();
  const again = () => void refetch();
  return (
    <Page title={t('live.title')} state={data && <StateSentence streams={data} />}>
      {!data && !error && <Waiting />}
      {error && !data && <ApiNotice error={error} retry={again} />}
      {error && data && <Stale since={dataUpdatedAt} />}
      {data?.length === 0 && <FirstStream />}
      {data && data.length > 0 && <Streams streams={data} />}
    </Page>
  );
}

function StateSentence({ streams }: { streams: LiveStream[] }) {
  const { t } = useTranslation();
  const format = useFormat();
  if (streams.length === 0) return t('empty.lead');
  const live = streams.filter((stream) => stream.health.level !== 'idle');
  const sum = (value: (stream: LiveStream) => number) =>
    streams.reduce((total, each) => total + value(each), 0);
  return t('live.state', {
    streams: live.length,
    viewers: sum((stream) => stream.viewers),
    in: format.bitrate(sum((stream) => stream.inKbps)),
    out: format.bitrate(sum((stream) => stream.outKbps)),
  });
}

function Streams({ streams }: { streams: LiveStream[] }) {
  const { t } = useTranslation();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const [most, setMost] = useState(SHOWN_AT_ONCE);
  const wide = useWideScreen();

  const found = matching(streams, search.q ?? '');
  const shown = sorted(found, search.sort ?? 'name', search.desc ?? false).slice(0, most);
  // The list needs room; a shared address that asks for it still works on a phone.
  const view = wide ? (search.view ?? 'list') : 'wall';
  const View = view === 'list' ? StreamList : StreamWall;
  const hidden = found.length - shown.length;
  return (
    <>
      <Toolbar view={view} canList={wide} />
      {found.length === 0 && (
        <div className={classes.noMatch}>
          <Text>{t('live.noMatch', { query: search.q })}</Text>
          <Button variant="default" onClick={() => void navigate({ search: { ...search, q: undefined } })}>
            {t('live.clearSearch')}
          </Button>
        </div>
      )}
      {shown.length > 0 && <View streams={shown} />}
      {hidden > 0 && (
        <Button variant="default" mt="md" onClick={() => setMost(most + SHOWN_AT_ONCE)}>
          {t('live.more', { count: Math.min(hidden, SHOWN_AT_ONCE) })}
        </Button>
      )}
    </>
  );
}

/** Ends by itself: the question has a time limit, after which an error takes this place. */
function Waiting() {
  const { t } = useTranslation();
  return (
    <div className={classes.waiting} role="status">
      <Loader size="sm" aria-hidden />
      <Text c="dimmed">{t('live.loading')}</Text>
    </div>
  );
}

function Stale({ since }: { since: number }) {
  const { t, i18n } = useTranslation();
  const time = new Date(since).toLocaleTimeString(i18n.language);
  return (
    <Text role="alert" className={classes.stale}>
      {t('error.stale', { time })}
    </Text>
  );
}
