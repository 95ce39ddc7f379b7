import { Text } from '@mantine/core';
import { DEFAULT_VHOST, type StreamName } from '../../media/name';

/** App, and the vhost where it is not the default one. */
export function StreamPlace({ name }: { name: StreamName }) {
  const place = name.vhost === DEFAULT_VHOST ? name.app : `${name.app} · ${name.vhost}`;
  return (
    <Text size="sm" c="dimmed" truncate="end" title={place}>
      {place}
    </Text>
  );
}
