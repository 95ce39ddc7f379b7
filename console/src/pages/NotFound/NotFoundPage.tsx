import { Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Page } from '../../app/Page';
import { to } from '../../app/paths';
import { AnchorLink } from '../../components/links';

export function NotFoundPage() {
  const { t } = useTranslation();
  return (
    <Page title={t('notFound.title')}>
      <Text mb="md">{t('notFound.text')}</Text>
      <AnchorLink {...to.live()}>{t('notFound.home')}</AnchorLink>
    </Page>
  );
}
