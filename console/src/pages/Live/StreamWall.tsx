/** Streams as cards: phones, and screens on a wall. */
import { Text } from '@mantine/core';
import { IconEye } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { to } from '../../app/paths';
import { StatusDot } from '../../components/StatusDot';
import { useFormat } from '../../format/format';
import { useDescribe } from '../../live/describe';
import type { LiveStream } from '../../live/stream';
import { BitrateLine } from './BitrateLine';
import { StreamPlace } from './StreamPlace';
import classes from './StreamWall.module.css';
import { Uptime } from './Uptime';

export function StreamWall({ streams }: { streams: LiveStream[] }) {
  return (
    <ul className={classes.wall}>
      {streams.map((stream) => (
        <Card key={stream.id} stream={stream} />
      ))}
    </ul>
  );
}

function Card({ stream }: { stream: LiveStream }) {
  const { t } = useTranslation();
  const describe = useDescribe();
  const format = useFormat();
  const { name, health } = stream;
  return (
    <li className={classes.card} data-level={health.level}>
      <div className={classes.head}>
        <div className={classes.title}>
          <Link {...to.stream(name)} className={classes.name}>
            {name.stream}
          </Link>
          <StreamPlace name={name} />
        </div>
        <div className={classes.figures}>
          <span className={classes.viewers}>
            <IconEye size={16} stroke={1.7} aria-hidden />
            <span aria-hidden>{format.number(stream.viewers)}</span>
            <span className="visually-hidden">{t('count.viewers', { count: stream.viewers })}</span>
          </span>
          <Uptime since={stream.since} />
        </div>
      </div>
      <div className={classes.bitrate}>
        <span className={classes.rate}>{format.bitrate(stream.inKbps)}</span>
        <BitrateLine values={stream.lastMinute} height={44} />
      </div>
      <Text size="sm" className={classes.tracks}>
        <span>{describe.video(stream)}</span>
        {describe.size(stream) && <span>{describe.size(stream)}</span>}
        <span>{describe.audio(stream)}</span>
      </Text>
      <StatusDot status={health.level} level={describe.level(health)} reason={describe.reason(health)} />
    </li>
  );
}
