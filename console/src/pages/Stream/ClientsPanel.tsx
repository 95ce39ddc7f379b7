/** Who is connected to the stream, and the way to end a connection. */
import { Button, Table, Text } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { ApiClient, RtcSession } from '../../api/client';
import { ApiNotice } from '../../app/ApiNotice';
import { Panel } from '../../components/Panel';
import { useFormat } from '../../format/format';
import { useKick, useRtcSessions, useStreamClients } from '../../live/queries';
import type { LiveStream } from '../../live/stream';
import classes from './ClientsPanel.module.css';

export function ClientsPanel({ stream }: { stream: LiveStream }) {
  const { t } = useTranslation();
  const { data, error, refetch } = useStreamClients(stream);
  const kick = useKick();
  const rtc = useRtcSessions(stream.name, true).data;
  return (
    <Panel title={t('stream.clients')}>
      {kick.error && (
        <div className={classes.notice}>
          <ApiNotice error={kick.error} retry={() => kick.mutate(kick.variables)} />
        </div>
      )}
      {error && !data && <ApiNotice error={error} retry={() => void refetch()} />}
      {!data && !error && <Text c="dimmed">{t('client.loading')}</Text>}
      {data?.length === 0 && <Text c="dimmed">{t('client.none')}</Text>}
      {data && data.length > 0 && (
        <Clients clients={data} viewers={stream.viewers} rtc={rtc?.sessions ?? []} kick={kick.mutate} />
      )}
      {rtc && <FailedSessions failed={rtc.failed} />}
    </Panel>
  );
}

interface ClientsProps {
  clients: ApiClient[];
  /** How many watch, shown or not. */
  viewers: number;
  rtc: RtcSession[];
  kick: (id: string) => void;
}

function Clients({ clients, viewers, rtc, kick }: ClientsProps) {
  const { t } = useTranslation();
  const hidden = viewers - clients.filter(({ publish }) => !publish).length;
  return (
    <>
      <div className={classes.frame}>
        <Table verticalSpacing={8} horizontalSpacing={6} className={classes.table}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('client.type')}</Table.Th>
              <Table.Th className={classes.address}>{t('client.address')}</Table.Th>
              <Table.Th className={classes.connected}>{t('client.connected')}</Table.Th>
              <Table.Th className={classes.rate}>{t('client.rate')}</Table.Th>
              <Table.Th className={classes.action}>
                <span className="visually-hidden">{t('client.kick')}</span>
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {clients.map((client) => (
              <Row
                key={client.id}
                client={client}
                session={rtc.find(({ id }) => id === client.id)}
                kick={kick}
              />
            ))}
          </Table.Tbody>
        </Table>
      </div>
      {hidden > 0 && (
        <Text size="sm" c="dimmed" mt="xs">
          {t('client.more', { count: hidden })}
        </Text>
      )}
    </>
  );
}

interface RowProps {
  client: ApiClient;
  /** What is known of it beyond others, if it speaks WebRTC. */
  session: RtcSession | undefined;
  kick: (id: string) => void;
}

function Row({ client, session, kick }: RowProps) {
  const { t } = useTranslation();
  const format = useFormat();
  const type = t(VIA[client.type] ?? 'client.type');
  const rate = client.publish ? client.kbps.recv_30s : client.kbps.send_30s;
  return (
    <Table.Tr>
      <Table.Td>
        {client.publish ? t('client.publisher') : t('client.player')}
        <span className={classes.via}>{VIA[client.type] ? type : client.type}</span>
        <span className={classes.below}>
          <span>{client.ip}</span> <span>{format.duration(client.alive)}</span>
        </span>
        {session && <SessionFacts session={session} />}
      </Table.Td>
      <Table.Td className={classes.address}>{client.ip}</Table.Td>
      <Table.Td className={classes.connected}>{format.duration(client.alive)}</Table.Td>
      <Table.Td className={classes.rate}>{format.bitrate(rate)}</Table.Td>
      <Table.Td className={classes.action}>
        <KickButton label={t('client.kickOf', { type, address: client.ip })} onKick={() => kick(client.id)} />
      </Table.Td>
    </Table.Tr>
  );
}

/** Codecs, loss, round trip and path of a WebRTC session; what is not known is left out. */
function SessionFacts({ session }: { session: RtcSession }) {
  const { t } = useTranslation();
  const format = useFormat();
  const { remote, rtt_ms, tracks, layer } = session;
  const losses = tracks.flatMap(({ loss }) => loss ?? []);
  const nacks = tracks.reduce((sum, track) => sum + track.nacks, 0);
  const facts = [
    stateOf(session),
    ...tracks.map(trackText),
    layer === null ? '' : t('client.layer', { layer }),
    losses.length > 0 ? t('client.loss', { share: format.share(Math.max(...losses)) }) : '',
    nacks > 0 ? t('client.nacks', { count: nacks }) : '',
    rtt_ms === null ? '' : t('client.roundTrip', { time: format.milliseconds(rtt_ms / 1_000) }),
    remote ?? '',
  ].filter(Boolean);
  return <span className={classes.facts}>{facts.join(' · ')}</span>;

  function trackText({ codec, rid, bitrate_bps }: RtcSession['tracks'][number]): string {
    return [codec, rid ?? '', format.bitrate(bitrate_bps / 1_000)].filter(Boolean).join(' ');
  }

  /** What is worth a word: not there yet, or less than all. */
  function stateOf({ phase, level }: RtcSession): string {
    if (phase === 'waiting' || phase === 'connecting') return t(`client.phase.${phase}`);
    return level === 'referenced' || level === 'keys' || level === 'paused' ? t(`client.level.${level}`) : '';
  }
}

/** Failures shown at most, the latest first. */
const FAILED_SHOWN = 3;

/** Who tried to watch or publish over WebRTC in vain, with the server's reason. */
function FailedSessions({ failed }: { failed: RtcSession[] }) {
  const { t } = useTranslation();
  if (failed.length === 0) return null;
  return (
    <div className={classes.failed}>
      <Text size="sm" fw={600}>
        {t('client.failed')}
      </Text>
      {failed
        .slice(-FAILED_SHOWN)
        .reverse()
        .map(({ id, kind, tried, reason }) => (
          <Text key={id} size="sm" c="dimmed">
            {t(kind === 'rtc-publish' ? 'client.failedPublisher' : 'client.failedViewer', {
              from: tried[0] ?? t('client.unheard'),
              reason: reason ?? t('unit.none'),
            })}
          </Text>
        ))}
    </div>
  );
}

/** What the API calls a client's type, by the protocol behind it. */
const VIA: Partial<
  Record<string, 'client.viaRtmp' | 'client.viaFlv' | 'client.viaHls' | 'client.viaRtc' | 'client.viaSrt'>
> = {
  'rtmp-play': 'client.viaRtmp',
  'flash-publish': 'client.viaRtmp',
  'fmle-publish': 'client.viaRtmp',
  'haivision-publish': 'client.viaRtmp',
  'flv-play': 'client.viaFlv',
  'hls-play': 'client.viaHls',
  'rtc-play': 'client.viaRtc',
  'rtc-publish': 'client.viaRtc',
  'srt-play': 'client.viaSrt',
  'srt-publish': 'client.viaSrt',
};

/** Asks once more in its own place: ending somebody's stream by a slip would be rude. */
function KickButton({ label, onKick }: { label: string; onKick: () => void }) {
  const { t } = useTranslation();
  const [asking, setAsking] = useState(false);
  const [kept, setKept] = useState(false);
  if (!asking) {
    return (
      <Button size="xs" variant="default" aria-label={label} autoFocus={kept} onClick={() => setAsking(true)}>
        {t('client.kick')}
      </Button>
    );
  }
  const keep = () => {
    setKept(true);
    setAsking(false);
  };
  const confirm = () => {
    setAsking(false);
    onKick();
  };
  return (
    <span className={classes.asking}>
      <Button size="xs" color="red.8" autoFocus onClick={confirm}>
        {t('client.confirm')}
      </Button>
      <Button size="xs" variant="default" onClick={keep}>
        {t('client.cancel')}
      </Button>
    </span>
  );
}
