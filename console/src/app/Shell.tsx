/** What stands around every page: the bar with the rooms, language, version. */
import { AppShell, Burger, Group, NativeSelect, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconBroadcast, IconLayoutGrid } from '@tabler/icons-react';
import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { useBroadcast } from '../broadcast/useBroadcast';
import { AnchorLink, RoomLink } from '../components/links';
import { chooseLanguage, LANGUAGES, type Language } from '../i18n';
import { useConsoleInfo } from '../live/queries';
import { to } from './paths';
import classes from './Shell.module.css';

const CONTENT = 'content';
const BAR = { width: 216, breakpoint: 'sm' } as const;

export function Shell() {
  const { t } = useTranslation();
  const [open, { toggle, close }] = useDisclosure(false);
  const pathname = useRouterState({ select: (state) => state.location.pathname });
  useNewPage(pathname, close);

  return (
    <AppShell
      header={{ height: { base: 56, sm: 0 } }}
      navbar={{ ...BAR, collapsed: { mobile: !open } }}
      padding={0}
    >
      <a className={classes.skip} href={`#${CONTENT}`}>
        {t('app.skip')}
      </a>
      <AppShell.Header className={classes.header} hiddenFrom="sm">
        <Group h="100%" px="md" gap="sm" wrap="nowrap">
          <Burger opened={open} onClick={toggle} size="sm" aria-label={t('app.menu')} aria-expanded={open} />
          <Brand />
          <OnAir />
        </Group>
      </AppShell.Header>
      <AppShell.Navbar className={classes.bar} p="sm">
        <div className={classes.brand}>
          <Brand />
        </div>
        <Rooms />
        <OnAir />
        <Footer />
      </AppShell.Navbar>
      <AppShell.Main id={CONTENT} tabIndex={-1} className={classes.main}>
        <Outlet />
      </AppShell.Main>
    </AppShell>
  );
}

/** A new page closes the menu and takes the keyboard's focus; the first page leaves it to the reader. */
function useNewPage(pathname: string, close: () => void) {
  const shown = useRef(pathname);
  useEffect(() => {
    if (shown.current === pathname) return;
    shown.current = pathname;
    close();
    document.getElementById(CONTENT)?.focus({ preventScroll: true });
  }, [pathname, close]);
}

function Brand() {
  const { t } = useTranslation();
  return (
    <Link {...to.live()} className={classes.brandLink}>
      <img src="/icon.svg" width={26} height={26} alt="" />
      <Text fw={700} size="lg">
        {t('app.name')}
      </Text>
    </Link>
  );
}

function Rooms() {
  const { t } = useTranslation();
  const inLive = useRouterState({ select: ({ location }) => location.pathname.startsWith('/streams/') });
  return (
    <nav aria-label={t('app.rooms')} className={classes.rooms}>
      <RoomLink
        {...to.live()}
        label={t('nav.live')}
        leftSection={<IconLayoutGrid size={19} stroke={1.6} aria-hidden />}
        activeOptions={{ exact: true, includeSearch: false }}
        active={inLive || undefined}
      />
      <RoomLink
        {...to.publish()}
        label={t('nav.publish')}
        leftSection={<IconBroadcast size={19} stroke={1.6} aria-hidden />}
        activeOptions={{ includeSearch: false }}
      />
    </nav>
  );
}

/** The broadcast of this browser goes on while other rooms are looked at; this leads back to it. */
function OnAir() {
  const { t } = useTranslation();
  const { phase, target } = useBroadcast();
  if (phase === 'off' || target === null) return null;
  return (
    <AnchorLink {...to.broadcast(target.name)} className={classes.onAir} c="inherit">
      <span className={classes.lamp} data-live={phase === 'live' || undefined} aria-hidden />
      <span className={classes.onAirName}>{t('app.onAir', { name: target.name.stream })}</span>
    </AnchorLink>
  );
}

function Footer() {
  const { t, i18n } = useTranslation();
  const { data } = useConsoleInfo();
  return (
    <div className={classes.footer}>
      <NativeSelect
        size="xs"
        aria-label={t('app.language')}
        value={i18n.language}
        data={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
        onChange={(event) => chooseLanguage(event.currentTarget.value as Language)}
      />
      <Text size="xs" c="dimmed" mih={18}>
        {data ? t('app.version', { version: data.version }) : ''}
      </Text>
    </div>
  );
}
