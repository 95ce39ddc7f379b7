/** What viewers see, and the buttons of a broadcast. */
import { Button, Text } from '@mantine/core';
import {
  IconMicrophone,
  IconMicrophoneOff,
  IconPlayerStop,
  IconVideo,
  IconVideoOff,
} from '@tabler/icons-react';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { useConnectionWords } from '../../app/useConnectionWords';
import { broadcast } from '../../broadcast';
import { RETRY_DELAYS_MS } from '../../broadcast/broadcast';
import type { CaptureState } from '../../broadcast/capture';
import { mayCapture } from '../../broadcast/devices';
import { useBroadcast, useCapture } from '../../broadcast/useBroadcast';
import { LevelMeter } from '../../components/LevelMeter';
import { Notice } from '../../components/Notice';
import { useFormat } from '../../format/format';
import { useNow } from '../../live/useNow';
import { signallingAddress } from '../../media/address';
import type { StreamName } from '../../media/name';
import { DeviceNotice } from './DeviceNotice';
import { SourceButtons } from './SourceButtons';
import classes from './StagePanel.module.css';

export function StagePanel({ name }: { name: StreamName }) {
  const { t } = useTranslation();
  const { phase, evidence } = useBroadcast();
  const capture = useCapture();
  const problem = mayCapture() ? capture.problem : 'insecure';
  return (
    <section className={classes.panel} aria-label={t('browser.preview')}>
      <div className={classes.stage} data-idle={capture.captured.length === 0 || undefined}>
        <Preview stream={capture.preview} />
        <Cover capture={capture} />
        {phase === 'live' && <OnAir />}
      </div>
      {capture.captured.length > 0 && <Controls name={name} capture={capture} />}
      {problem && (
        <div className={classes.notice}>
          <DeviceNotice problem={problem} picture={capture.picture} />
        </div>
      )}
      {evidence && <ConnectionNotice name={name} />}
    </section>
  );
}

function Preview({ stream }: { stream: MediaStream | null }) {
  const { t } = useTranslation();
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (video.current) video.current.srcObject = stream;
  }, [stream]);
  return (
    <video
      ref={video}
      className={classes.video}
      aria-label={t('browser.preview')}
      autoPlay
      muted
      playsInline
      hidden={stream === null}
    />
  );
}

/** Stands where there is no picture to see. */
function Cover({ capture: { captured, picture, hidden, opening } }: { capture: CaptureState }) {
  const { t } = useTranslation();
  if (captured.length === 0) {
    return (
      <div className={classes.cover}>
        <Text fw={650}>{opening ? t('browser.asking') : t('browser.begin')}</Text>
        <Text size="sm">{opening ? t('browser.askingText') : t('browser.beginText')}</Text>
        <SourceButtons disabled={opening || !mayCapture()} />
      </div>
    );
  }
  if (picture !== 'none' && !hidden) return null;
  return (
    <div className={classes.cover}>
      {picture === 'none' ? (
        <IconMicrophone size={44} stroke={1.4} aria-hidden />
      ) : (
        <IconVideoOff size={44} stroke={1.4} aria-hidden />
      )}
      <Text size="sm">{picture === 'none' ? t('browser.soundOnly') : t('browser.black')}</Text>
    </div>
  );
}

function OnAir() {
  const { t } = useTranslation();
  const format = useFormat();
  const { since } = useBroadcast();
  const now = useNow();
  return (
    <span className={classes.onAir}>
      <span className={classes.lamp} aria-hidden />
      {t('browser.onAir', { time: format.duration(((since ?? now) - now) / -1_000) })}
    </span>
  );
}

const level = () => broadcast.capture.level();

function Controls({ name, capture }: { name: StreamName; capture: CaptureState }) {
  const { t } = useTranslation();
  const { muted, hidden, captured } = capture;
  const hears = captured.some(({ track }) => track.kind === 'audio');
  const sees = captured.some(({ track }) => track.kind === 'video');
  return (
    <div className={classes.controls}>
      {hears && (
        <Button
          variant="default"
          aria-pressed={muted}
          leftSection={
            muted ? <IconMicrophoneOff size={18} aria-hidden /> : <IconMicrophone size={18} aria-hidden />
          }
          onClick={() => broadcast.capture.mute(!muted)}
        >
          {muted ? t('browser.unmute') : t('browser.mute')}
        </Button>
      )}
      {sees && (
        <Button
          variant="default"
          aria-pressed={hidden}
          leftSection={hidden ? <IconVideoOff size={18} aria-hidden /> : <IconVideo size={18} aria-hidden />}
          onClick={() => broadcast.capture.hide(!hidden)}
        >
          {hidden ? t('browser.showPicture') : t('browser.hidePicture')}
        </Button>
      )}
      {hears && <LevelMeter label={t('browser.level')} read={level} />}
      <AirButtons name={name} />
    </div>
  );
}

function AirButtons({ name }: { name: StreamName }) {
  const { t } = useTranslation();
  const { phase } = useBroadcast();
  const start = () => broadcast.start({ name, url: signallingAddress(window.location.origin, name, 'whip') });
  return (
    <div className={classes.air}>
      <Text role="status" size="sm" c="dimmed">
        {phase === 'connecting' ? t('browser.connecting') : ''}
      </Text>
      {phase === 'off' ? (
        <>
          <Button variant="default" onClick={() => broadcast.release()}>
            {t('browser.release')}
          </Button>
          <Button onClick={start} disabled={name.app === '' || name.stream === ''}>
            {t('browser.start')}
          </Button>
        </>
      ) : (
        <Button
          color="red.8"
          leftSection={<IconPlayerStop size={18} aria-hidden />}
          onClick={() => broadcast.stop()}
        >
          {t('browser.stop')}
        </Button>
      )}
    </div>
  );
}

/** Why it is not on air, or not any more. */
function ConnectionNotice({ name }: { name: StreamName }) {
  const { t } = useTranslation();
  const { evidence, target, nextAttempt } = useBroadcast();
  const words = useConnectionWords(target?.name ?? name, evidence);
  if (!words) return null;
  return (
    <div className={classes.notice}>
      <Notice kind="problem" title={words.title} text={words.text}>
        {(words.said || nextAttempt > 0) && (
          <Text size="sm" c="dimmed">
            {words.said}{' '}
            {nextAttempt > 0 && t('player.retrying', { attempt: nextAttempt, most: RETRY_DELAYS_MS.length })}
          </Text>
        )}
      </Notice>
    </div>
  );
}
