/** Why a camera, microphone or screen cannot be had, and what to do. */
import { useTranslation } from 'react-i18next';
import type { DeviceProblem, Picture } from '../../broadcast/devices';
import { CopyField } from '../../components/CopyField';
import { Notice } from '../../components/Notice';

const HTTPS_EXAMPLE =
  'console { enabled on; listen 2022; https { enabled on; listen 2443; key ./server.key; cert ./server.crt; } }';
const TUNNEL_EXAMPLE = 'ssh -L 2022:127.0.0.1:2022';

export function DeviceNotice({ problem, picture }: { problem: DeviceProblem; picture: Picture }) {
  const { t } = useTranslation();
  const host = window.location.hostname;
  if (problem === 'ended' && picture === 'screen') {
    return <Notice kind="info" title={t('device.unshared.title')} text={t('device.unshared.text')} />;
  }
  return (
    <Notice kind="problem" title={t(`device.${problem}.title`)} text={t(`device.${problem}.text`, { host })}>
      {problem === 'insecure' && (
        <>
          <CopyField label={t('signIn.configuration')} value={HTTPS_EXAMPLE} />
          <CopyField label={t('device.tunnel')} value={`${TUNNEL_EXAMPLE} ${host}`} />
        </>
      )}
    </Notice>
  );
}
