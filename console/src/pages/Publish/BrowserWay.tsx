/** Publishing from this browser: preview, devices, and how sending goes. Loaded when it is chosen. */

import { useTranslation } from 'react-i18next';
import { useBroadcast, useCapture } from '../../broadcast/useBroadcast';
import { Panel } from '../../components/Panel';
import type { MediaServer } from '../../media/address';
import type { StreamName } from '../../media/name';
import classes from './BrowserWay.module.css';
import { DevicesPanel } from './DevicesPanel';
import { SendingNumbers } from './SendingNumbers';
import { StagePanel } from './StagePanel';
import { ThenWatch } from './ThenWatch';

export function BrowserWay({ media, name }: { media: MediaServer; name: StreamName }) {
  const { t } = useTranslation();
  const { phase, outgoing, since } = useBroadcast();
  const { captured } = useCapture();
  return (
    <div className={classes.columns}>
      <div className={classes.stage}>
        <StagePanel name={name} />
      </div>
      <div className={classes.side}>
        {phase !== 'off' && (
          <Panel title={t('browser.sending')}>
            <SendingNumbers outgoing={outgoing} since={since} />
          </Panel>
        )}
        {captured.length > 0 && <DevicesPanel />}
      </div>
      <div className={classes.then}>
        <ThenWatch media={media} name={name} />
      </div>
    </div>
  );
}
