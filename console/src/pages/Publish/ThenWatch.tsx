/** Where a stream can be watched once it is sent. */
import { useTranslation } from 'react-i18next';
import { PlayAddressFields } from '../../app/PlayAddressFields';
import { to } from '../../app/paths';
import { ButtonLink } from '../../components/links';
import { Panel } from '../../components/Panel';
import type { MediaServer } from '../../media/address';
import type { StreamName } from '../../media/name';

export function ThenWatch({ media, name }: { media: MediaServer; name: StreamName }) {
  const { t } = useTranslation();
  return (
    <Panel title={t('publish.then')} hint={t('publish.thenText')}>
      <PlayAddressFields media={media} name={name} />
      <ButtonLink {...to.stream(name)} mt="md">
        {t('publish.watch')}
      </ButtonLink>
    </Panel>
  );
}
