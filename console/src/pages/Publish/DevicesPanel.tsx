/** Which devices, how large, and how it is coded. What can change while it is live, does so at once. */
import { NativeSelect, SegmentedControl, Switch } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { broadcast } from '../../broadcast';
import type { Phase } from '../../broadcast/broadcast';
import type { CaptureState } from '../../broadcast/capture';
import { type SentCodec, sendableCodecs } from '../../broadcast/codecs';
import {
  type Device,
  type Height,
  mayShareScreen,
  offeredBy,
  type Picture,
  type Rate,
} from '../../broadcast/devices';
import { useBroadcast, useCapture } from '../../broadcast/useBroadcast';
import { Panel } from '../../components/Panel';
import classes from './BrowserWay.module.css';

export function DevicesPanel() {
  const { t } = useTranslation();
  const { phase } = useBroadcast();
  const capture = useCapture();
  const { picture, devices, camera, microphone, captured, opening } = capture;
  const hears = captured.some(({ of }) => of === 'microphone');
  return (
    <Panel title={t('browser.devices')} hint={phase === 'off' ? undefined : t('browser.devicesLive')}>
      <div className={classes.fields}>
        <SegmentedControl
          className={classes.whole}
          fullWidth
          aria-label={t('browser.pictureFrom')}
          value={picture}
          disabled={opening}
          onChange={(value) => void broadcast.capture.show(value as Picture)}
          data={pictures(capture, phase).map((value) => ({ value, label: t(`browser.${value}`) }))}
        />
        {picture === 'camera' && (
          <DeviceSelect
            label={t('browser.camera')}
            devices={devices.cameras}
            value={camera}
            onChange={(id) => void broadcast.capture.show('camera', id)}
          />
        )}
        {hears && (
          <DeviceSelect
            label={t('browser.microphone')}
            devices={devices.microphones}
            value={microphone}
            onChange={(id) => void broadcast.capture.listen(id)}
          />
        )}
        {picture !== 'none' && <PictureFields capture={capture} live={phase !== 'off'} />}
      </div>
    </Panel>
  );
}

/** Without a picture at its beginning a session has no room for one later, and with one it keeps that room. */
function pictures({ picture }: CaptureState, phase: Phase): Picture[] {
  const all: Picture[] = mayShareScreen() ? ['camera', 'screen', 'none'] : ['camera', 'none'];
  return phase === 'off' ? all : all.filter((each) => (each === 'none') === (picture === 'none'));
}

interface DeviceSelectProps {
  label: string;
  devices: Device[];
  value: string;
  onChange: (id: string) => void;
}

function DeviceSelect({ label, devices, value, onChange }: DeviceSelectProps) {
  const { t } = useTranslation();
  return (
    <NativeSelect
      className={classes.whole}
      label={label}
      value={value}
      data={devices.map(({ id, label: name }, index) => ({
        value: id,
        label: name || t('browser.unnamed', { number: index + 1 }),
      }))}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}

function PictureFields({ capture, live }: { capture: CaptureState; live: boolean }) {
  const { t } = useTranslation();
  const { codec, simulcast } = useBroadcast();
  const { size, captured, picture } = capture;
  const { heights, rates } = offeredBy(captured.find(({ track }) => track.kind === 'video')?.track ?? null);
  const codecs = sendableCodecs();
  return (
    <>
      {picture === 'camera' && (
        <NativeSelect
          label={t('browser.height')}
          value={Math.min(size.height, heights.at(-1) ?? size.height)}
          data={heights.map((height) => ({ value: String(height), label: t('browser.lines', { height }) }))}
          onChange={(event) =>
            void broadcast.capture.resize({ ...size, height: Number(event.currentTarget.value) as Height })
          }
        />
      )}
      <NativeSelect
        label={t('browser.rate')}
        value={Math.min(size.rate, rates.at(-1) ?? size.rate)}
        data={rates.map((rate) => ({ value: String(rate), label: t('unit.fps', { value: rate }) }))}
        onChange={(event) =>
          void broadcast.capture.resize({ ...size, rate: Number(event.currentTarget.value) as Rate })
        }
      />
      <NativeSelect
        label={t('browser.codec')}
        description={t('browser.codecHint')}
        inputWrapperOrder={['label', 'input', 'description']}
        className={classes.whole}
        disabled={live}
        value={codec ?? codecs[0]}
        data={codecs}
        onChange={(event) => broadcast.choose({ codec: event.currentTarget.value as SentCodec })}
      />
      <Switch
        className={classes.whole}
        label={t('browser.simulcast')}
        description={t('browser.simulcastHint')}
        disabled={live}
        checked={simulcast}
        onChange={(event) => broadcast.choose({ simulcast: event.currentTarget.checked })}
      />
    </>
  );
}
