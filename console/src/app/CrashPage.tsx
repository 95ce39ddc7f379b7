import { Button } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Notice } from '../components/Notice';

/** Shown in place of a page whose code failed. */
export function CrashPage() {
  const { t } = useTranslation();
  return (
    <Notice kind="problem" title={t('crash.title')} text={t('crash.text')}>
      <Button onClick={() => window.location.reload()}>{t('crash.reload')}</Button>
    </Notice>
  );
}
