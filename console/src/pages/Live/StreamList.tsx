/** Streams as a table: the engineer's view, one line each. */
import { Table, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { to } from '../../app/paths';
import { StatusDot } from '../../components/StatusDot';
import { useFormat } from '../../format/format';
import { useDescribe } from '../../live/describe';
import type { LiveStream } from '../../live/stream';
import { BitrateLine } from './BitrateLine';
import { SortableHead } from './SortableHead';
import classes from './StreamList.module.css';
import { StreamPlace } from './StreamPlace';
import { Uptime } from './Uptime';

export function StreamList({ streams }: { streams: LiveStream[] }) {
  const { t } = useTranslation();
  return (
    <div className={classes.frame}>
      <Table verticalSpacing="sm" horizontalSpacing="md" highlightOnHover className={classes.table}>
        <Table.Thead>
          <Table.Tr>
            <SortableHead sort="name" className={classes.stream} />
            <SortableHead sort="health" className={classes.state} />
            <Table.Th className={classes.track}>{t('live.column.video')}</Table.Th>
            <Table.Th className={classes.track}>{t('live.column.audio')}</Table.Th>
            <SortableHead sort="bitrate" className={classes.line} />
            <SortableHead sort="viewers" className={classes.number} />
            <SortableHead sort="uptime" className={`${classes.number} ${classes.uptime}`} />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {streams.map((stream) => (
            <Row key={stream.id} stream={stream} />
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function Row({ stream }: { stream: LiveStream }) {
  const describe = useDescribe();
  const format = useFormat();
  const { name, health } = stream;
  return (
    <Table.Tr className={classes.row}>
      <Table.Td>
        <Link {...to.stream(name)} className={classes.name}>
          {name.stream}
        </Link>
        <StreamPlace name={name} />
      </Table.Td>
      <Table.Td>
        <StatusDot status={health.level} level={describe.level(health)} reason={describe.reason(health)} />
      </Table.Td>
      <Table.Td>
        <Text size="sm">{describe.video(stream)}</Text>
        <Text size="sm" c="dimmed" className="tabular">
          {describe.size(stream)}
        </Text>
      </Table.Td>
      <Table.Td>
        <Text size="sm">{describe.audio(stream)}</Text>
        <Text size="sm" c="dimmed">
          {describe.channels(stream)}
        </Text>
      </Table.Td>
      <Table.Td>
        <div className={classes.bitrate}>
          <Text size="sm" className="tabular" w={86}>
            {format.bitrate(stream.inKbps)}
          </Text>
          <BitrateLine values={stream.lastMinute} />
        </div>
      </Table.Td>
      <Table.Td className={classes.number}>{format.number(stream.viewers)}</Table.Td>
      <Table.Td className={classes.number}>
        <Uptime since={stream.since} />
      </Table.Td>
    </Table.Tr>
  );
}
