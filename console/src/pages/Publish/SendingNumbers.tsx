import { Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Numbers } from '../../components/Numbers';
import { useFormat } from '../../format/format';
import type { Outgoing } from '../../webrtc/readings';

/** Browsers begin low and feel their way up; what limits them is worth a word after this many ms. */
const SETTLED_MS = 15_000;

interface SendingNumbersProps {
  outgoing: Outgoing | null;
  /** When it went on air, in ms of the browser's clock. */
  since: number | null;
}

/** What the browser says about sending. */
export function SendingNumbers({ outgoing, since }: SendingNumbersProps) {
  const { t } = useTranslation();
  const format = useFormat();
  const none = t('unit.none');
  const settled = since !== null && Date.now() - since > SETTLED_MS;
  const shown = <T,>(value: T | null | undefined, spell: (value: T) => string) =>
    value === null || value === undefined ? none : spell(value);
  return (
    <>
      <Numbers
        entries={[
          { label: t('browser.bitrate'), value: shown(outgoing?.kbps, format.bitrate) },
          {
            label: t('browser.fps'),
            value: shown(outgoing?.fps, (fps) => t('unit.fps', { value: format.number(fps) })),
          },
          {
            label: t('player.size'),
            value:
              outgoing && outgoing.width > 0
                ? t('track.size', { width: outgoing.width, height: outgoing.height })
                : none,
          },
          { label: t('browser.codec'), value: outgoing?.codec || none },
          { label: t('browser.loss'), value: shown(outgoing?.loss, format.share) },
          { label: t('browser.roundTrip'), value: shown(outgoing?.roundTrip, format.milliseconds) },
        ]}
      />
      <Text size="sm" c="dimmed" mt="sm" mih={22}>
        {settled && outgoing?.limitedBy ? t(`browser.limited.${outgoing.limitedBy}`) : ''}
      </Text>
    </>
  );
}
