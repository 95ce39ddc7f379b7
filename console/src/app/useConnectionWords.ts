/** Why a WebRTC session does not work, in words, with what the server's list of sessions adds. */
import { useTranslation } from 'react-i18next';
import { useRtcSessions } from '../live/queries';
import type { StreamName } from '../media/name';
import { diagnose, type Evidence } from '../webrtc/diagnose';

export interface ConnectionWords {
  title: string;
  /** What to do. */
  text: string;
  /** The server's own words, or empty. */
  said: string;
}

/** `codec` is that of the stream's pictures, as the API names it. Null without evidence of a problem. */
export function useConnectionWords(
  name: StreamName,
  evidence: Evidence | null,
  codec?: string,
): ConnectionWords | null {
  const { t } = useTranslation();
  const asked = evidence?.session ?? null;
  const { data } = useRtcSessions(name, asked !== null);
  if (evidence === null) return null;
  const server = [...(data?.sessions ?? []), ...(data?.failed ?? [])].find(
    ({ session }) => asked !== null && session === asked,
  );
  const { cause, values, said } = diagnose(evidence, { server, codec });
  return {
    title: t(`rtc.${cause}.title`, values),
    text: t(`rtc.${cause}.text`, values),
    said: said && t('error.serverSays', { detail: said }),
  };
}
