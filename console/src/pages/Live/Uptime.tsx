import { useTranslation } from 'react-i18next';
import { useFormat } from '../../format/format';
import { useNow } from '../../live/useNow';

/** How long the publisher has been live. */
export function Uptime({ since }: { since: number | null }) {
  const { t } = useTranslation();
  const format = useFormat();
  const now = useNow();
  return (
    <span className="tabular">
      {since === null ? t('unit.none') : format.duration((now - since) / 1_000)}
    </span>
  );
}
