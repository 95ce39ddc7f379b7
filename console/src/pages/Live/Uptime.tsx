import { useTranslation } from 'react-i18next';
import { useFormat } from '../../format/format';
import type { PublishedSince } from '../../live/order';
import type { LiveStream } from '../../live/stream';
import { useNow } from '../../live/useNow';

/** How long the publisher has been connected. */
export function Uptime({ stream, since }: { stream: LiveStream; since: PublishedSince }) {
  const { t } = useTranslation();
  const format = useFormat();
  const now = useNow();
  const start = stream.publisher === null ? undefined : since.get(stream.publisher);
  return (
    <span className="tabular">
      {start === undefined ? t('unit.none') : format.duration((now - start) / 1_000)}
    </span>
  );
}
