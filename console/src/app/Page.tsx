/** Heading, state in one sentence, and the room for the rest. */
import { Text, Title } from '@mantine/core';
import { type ReactNode, useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import classes from './Page.module.css';

export interface PageProps {
  title: string;
  /** The page's answer, in one sentence. */
  state?: ReactNode;
  /** Stands above the title: the way back. */
  above?: ReactNode;
  children: ReactNode;
}

export function Page({ title, state, above, children }: PageProps) {
  const { t } = useTranslation();
  const name = t('app.name');
  useEffect(() => {
    document.title = `${title} · ${name}`;
  }, [title, name]);
  return (
    <div className={classes.page}>
      <header className={classes.head}>
        {above}
        <Title order={1} className={classes.title}>
          {title}
        </Title>
        <Text c="dimmed" component="div" className={classes.state}>
          {state}
        </Text>
      </header>
      {children}
    </div>
  );
}
