/** Where the picture comes from. */
import { Button } from '@mantine/core';
import { IconDeviceDesktop, IconMicrophone, IconVideo } from '@tabler/icons-react';
import { useTranslation } from 'react-i18next';
import { broadcast } from '../../broadcast';
import { mayShareScreen } from '../../broadcast/devices';
import classes from './StagePanel.module.css';

export function SourceButtons({ disabled }: { disabled: boolean }) {
  const { t } = useTranslation();
  return (
    <div className={classes.sources}>
      <Button
        disabled={disabled}
        leftSection={<IconVideo size={18} aria-hidden />}
        onClick={() => void broadcast.capture.show('camera')}
      >
        {t('browser.camera')}
      </Button>
      {mayShareScreen() && (
        <Button
          variant="white"
          color="dark"
          disabled={disabled}
          leftSection={<IconDeviceDesktop size={18} aria-hidden />}
          onClick={() => void broadcast.capture.show('screen')}
        >
          {t('browser.screen')}
        </Button>
      )}
      <Button
        variant="white"
        color="dark"
        disabled={disabled}
        leftSection={<IconMicrophone size={18} aria-hidden />}
        onClick={() => void broadcast.capture.show('none')}
      >
        {t('browser.none')}
      </Button>
    </div>
  );
}
