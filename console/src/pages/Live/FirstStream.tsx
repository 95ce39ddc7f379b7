/** The empty live page: how to get the first stream, in three steps. */
import { Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { PublishFields } from '../../app/PublishFields';
import { to } from '../../app/paths';
import { AnchorLink } from '../../components/links';
import { streamName } from '../../media/name';
import classes from './FirstStream.module.css';

/** What the welcome text of the server and the manuals use too. */
const FIRST_STREAM = streamName(undefined, 'live', 'livestream');

export function FirstStream() {
  const { t } = useTranslation();
  return (
    <section className={classes.panel} aria-labelledby="first-stream">
      <Title order={2} id="first-stream" size="h3">
        {t('empty.title')}
      </Title>
      <ol className={classes.steps}>
        <Step number={1} title={t('empty.step1')} text={t('empty.step1Text')} />
        <Step number={2} title={t('empty.step2')} text={t('empty.step2Text')}>
          <PublishFields name={FIRST_STREAM} />
        </Step>
        <Step number={3} title={t('empty.step3')} text={t('empty.step3Text')} />
      </ol>
      <AnchorLink {...to.publish()}>{t('empty.other')}</AnchorLink>
    </section>
  );
}

interface StepProps {
  number: number;
  title: string;
  text: string;
  children?: ReactNode;
}

function Step({ number, title, text, children }: StepProps) {
  return (
    <li className={classes.step}>
      <span className={classes.number} aria-hidden>
        {number}
      </span>
      <div className={classes.body}>
        <Text fw={650}>{title}</Text>
        <Text size="sm" c="dimmed">
          {text}
        </Text>
        {children}
      </div>
    </li>
  );
}
