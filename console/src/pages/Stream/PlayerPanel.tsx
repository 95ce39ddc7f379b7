/** The picture, the protocol switch, and how playback is going. */
import { Button, Loader, SegmentedControl, Text } from '@mantine/core';
import { IconPlayerPlay, IconVolume } from '@tabler/icons-react';
import { getRouteApi } from '@tanstack/react-router';
import { type RefObject, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useConnectionWords } from '../../app/useConnectionWords';
import { useDescribe } from '../../live/describe';
import type { LiveStream } from '../../live/stream';
import { type MediaServer, playAddresses, signallingAddress } from '../../media/address';
import { PROTOCOLS, type Protocol } from '../../players/player';
import { OPEN_TIMEOUT_MS, type Playback, RETRY_DELAYS_MS, usePlayback } from '../../players/usePlayback';
import { PlaybackNumbers } from './PlaybackNumbers';
import classes from './PlayerPanel.module.css';

const route = getRouteApi('/streams/$');

export interface PlayerPanelProps {
  stream: LiveStream;
  media: MediaServer;
  hlsFragmentSeconds: number;
}

export function PlayerPanel({ stream, media, hlsFragmentSeconds }: PlayerPanelProps) {
  const { t } = useTranslation();
  const { player: protocol = 'flv' } = route.useSearch();
  const navigate = route.useNavigate();
  const video = useRef<HTMLVideoElement>(null);
  const url = addressOf(protocol, stream, media);
  const blocked = blockedBy(stream, media, url);
  const playback = usePlayback(video, protocol, blocked === null ? url : null, stream.publisher ?? '');
  const words = useProblemWords(playback, blocked, {
    protocol: t(`player.${protocol}`),
    protocolId: protocol,
    address: url ?? '',
    stream,
    hlsFragmentSeconds,
  });
  const choose = (player: Protocol) =>
    void navigate({ search: (before) => ({ ...before, player }), replace: true, resetScroll: false });

  return (
    <section className={classes.panel} aria-label={t('player.readout')}>
      <div className={classes.stage}>
        <video
          ref={video}
          className={classes.video}
          aria-label={t('player.video', { name: stream.name.stream })}
          muted
          playsInline
          controls={words === null}
        />
        <Overlay playback={playback} words={words} playable={blocked === null} video={video} />
      </div>
      <div className={classes.controls}>
        <SegmentedControl
          aria-label={t('player.protocol')}
          value={protocol}
          onChange={(value) => choose(value as Protocol)}
          data={PROTOCOLS.map((value) => ({ value, label: t(`player.${value}`) }))}
        />
        <UnmuteButton video={video} />
        <Text role="status" size="sm" c="dimmed" className={classes.phase} data-phase={playback.phase}>
          {t(`player.phase.${playback.phase}`)}
        </Text>
      </div>
      <PlaybackNumbers stats={playback.stats} />
    </section>
  );
}

/** WebRTC is asked for where this page came from; whatever port that is, it answers. */
function addressOf(protocol: Protocol, { name }: LiveStream, media: MediaServer): string | null {
  if (protocol === 'whep') return signallingAddress(window.location.origin, name, 'whep');
  return playAddresses(media, name)[protocol];
}

type Blocked = 'nobody' | 'noPort' | 'noHttp';

/** What stands against playing before anything was tried. */
function blockedBy(stream: LiveStream, media: MediaServer, url: string | null): Blocked | null {
  if (url === null) return media.secure ? 'noPort' : 'noHttp';
  return stream.publisher === null ? 'nobody' : null;
}

interface ProblemValues {
  protocol: string;
  protocolId: Protocol;
  address: string;
  stream: LiveStream;
  hlsFragmentSeconds: number;
}

interface Words {
  title: string;
  text: string;
  /** The server's own words. */
  said?: string;
}

interface OverlayProps {
  playback: Playback;
  /** Why there is nothing to see, or null. */
  words: Words | null;
  /** Whether trying again may help. */
  playable: boolean;
  video: RefObject<HTMLVideoElement | null>;
}

/** Covers the picture while there is none to see, and says why. */
function Overlay({ playback, words, playable, video }: OverlayProps) {
  if (words === null) {
    if (playback.phase !== 'opening') return null;
    return (
      <div className={classes.overlay} data-passive>
        <Loader color="gray.3" aria-hidden />
      </div>
    );
  }
  return (
    <div className={classes.overlay} role="alert">
      <Text fw={650}>{words.title}</Text>
      <Text size="sm">{words.text}</Text>
      {words.said && (
        <Text size="sm" c="gray.5">
          {words.said}
        </Text>
      )}
      {playable && (
        <>
          <Progress playback={playback} />
          <WayOut playback={playback} video={video} />
        </>
      )}
    </div>
  );
}

/** What happens next by itself. Keeps its line, so that the button below does not jump. */
function Progress({ playback: { phase, nextAttempt } }: { playback: Playback }) {
  const { t } = useTranslation();
  const text =
    nextAttempt > 0
      ? t('player.retrying', { attempt: nextAttempt, most: RETRY_DELAYS_MS.length })
      : undefined;
  return (
    <Text size="sm" mih={22}>
      {text ?? (phase === 'opening' ? t('player.phase.opening') : '')}
    </Text>
  );
}

function WayOut({ playback, video }: { playback: Playback; video: RefObject<HTMLVideoElement | null> }) {
  const { t } = useTranslation();
  if (playback.problem === 'autoplay') {
    return (
      <Button
        leftSection={<IconPlayerPlay size={18} aria-hidden />}
        onClick={() => void video.current?.play()}
      >
        {t('player.start')}
      </Button>
    );
  }
  return (
    <Button variant="white" color="dark" onClick={playback.retry}>
      {t('player.retry')}
    </Button>
  );
}

function useProblemWords(playback: Playback, blocked: Blocked | null, values: ProblemValues): Words | null {
  const { t } = useTranslation();
  const describe = useDescribe();
  const { name, video } = values.stream;
  const connection = useConnectionWords(name, blocked === null ? playback.evidence : null, video?.codec);
  if (blocked !== null) return { title: t(`problem.${blocked}.title`), text: t(`problem.${blocked}.text`) };
  const { problem } = playback;
  if (connection !== null || problem === null || problem === 'webrtc') return connection;
  const { protocol, protocolId, address, stream, hlsFragmentSeconds } = values;
  switch (problem) {
    case 'notFound':
      return {
        title: t('problem.notFound.title', { protocol }),
        text:
          protocolId === 'hls'
            ? t('problem.notFound.hls', { seconds: hlsFragmentSeconds })
            : t('problem.notFound.flv'),
      };
    case 'network':
      return {
        title: t('problem.network.title'),
        text: t('problem.network.text', { address: hostOf(address) }),
      };
    case 'timeout':
      return {
        title: t('problem.timeout.title', { seconds: OPEN_TIMEOUT_MS[protocolId] / 1_000 }),
        text: t('problem.timeout.text'),
      };
    case 'codec':
      return {
        title: t('problem.codec.title'),
        text: t('problem.codec.text', { codec: describe.video(stream) }),
      };
    case 'unsupported':
      return {
        title: t('problem.unsupported.title', { protocol }),
        text: t(protocolId === 'whep' ? 'problem.unsupported.whep' : 'problem.unsupported.text'),
      };
    default:
      return { title: t(`problem.${problem}.title`), text: t(`problem.${problem}.text`) };
  }
}

function hostOf(address: string): string {
  return URL.canParse(address) ? new URL(address).host : address;
}

/** Browsers start videos by themselves only without sound, so sound is one click away. */
function UnmuteButton({ video }: { video: RefObject<HTMLVideoElement | null> }) {
  const { t } = useTranslation();
  const [muted, setMuted] = useState(true);
  if (!muted) return null;
  const unmute = () => {
    if (!video.current) return;
    video.current.muted = false;
    setMuted(false);
  };
  return (
    <Button
      variant="default"
      leftSection={<IconVolume size={18} stroke={1.6} aria-hidden />}
      onClick={unmute}
    >
      {t('player.unmute')}
    </Button>
  );
}
