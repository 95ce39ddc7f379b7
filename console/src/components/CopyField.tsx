/** A line to copy: label, the text itself, a copy button, and a QR code for those who ask. */
import { ActionIcon, Popover, Text, Tooltip } from '@mantine/core';
import { IconCheck, IconCopy, IconQrcode, IconX } from '@tabler/icons-react';
import { Fragment, type ReactNode, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import classes from './CopyField.module.css';
import { copyText } from './copyText';
import { QrCode } from './QrCode';

export interface CopyFieldProps {
  label: string;
  value: string;
  /** Offer a QR code: for addresses that a phone opens. */
  qr?: boolean;
}

export function CopyField({ label, value, qr = false }: CopyFieldProps) {
  return (
    <div className={classes.field}>
      <Text size="sm" c="dimmed">
        {label}
      </Text>
      <div className={classes.line}>
        <code className={classes.value}>{words(value)}</code>
        {qr && <QrButton label={label} value={value} />}
        <CopyButton label={label} value={value} />
      </div>
    </div>
  );
}

/** The text unchanged, breaking between words and after slashes: a line must not end in an option's dash. */
function words(text: string): ReactNode {
  return text.split(' ').map((word, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: words have no other identity than their place
    <Fragment key={index}>
      {index > 0 && ' '}
      <span className={classes.word}>{breakable(word)}</span>
    </Fragment>
  ));
}

function breakable(word: string): ReactNode {
  return word.split(/(?<=[^/]\/)(?=[^/])/).map((part, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: parts have no other identity than their place
    <Fragment key={index}>
      {index > 0 && <wbr />}
      {part}
    </Fragment>
  ));
}

type Outcome = 'idle' | 'copied' | 'failed';
const OUTCOME_MS = 2_000;

function CopyButton({ label, value }: { label: string; value: string }) {
  const { t } = useTranslation();
  const [outcome, setOutcome] = useState<Outcome>('idle');
  useEffect(() => {
    if (outcome === 'idle') return;
    const timer = setTimeout(() => setOutcome('idle'), OUTCOME_MS);
    return () => clearTimeout(timer);
  }, [outcome]);

  const text = { idle: t('copy.copy'), copied: t('copy.copied'), failed: t('copy.failed') }[outcome];
  return (
    <>
      <Tooltip label={text} opened={outcome === 'idle' ? undefined : true}>
        <ActionIcon
          variant="default"
          size="lg"
          aria-label={t('copy.copyOf', { label })}
          onClick={async () => setOutcome((await copyText(value)) ? 'copied' : 'failed')}
        >
          {outcome === 'idle' && <IconCopy size={18} stroke={1.6} aria-hidden />}
          {outcome === 'copied' && <IconCheck size={18} className={classes.copied} aria-hidden />}
          {outcome === 'failed' && <IconX size={18} aria-hidden />}
        </ActionIcon>
      </Tooltip>
      <span role="status" className="visually-hidden">
        {outcome === 'idle' ? '' : text}
      </span>
    </>
  );
}

function QrButton({ label, value }: { label: string; value: string }) {
  const { t } = useTranslation();
  return (
    <Popover position="bottom-end" shadow="md" withArrow>
      <Popover.Target>
        <ActionIcon variant="default" size="lg" aria-label={t('copy.qrOf', { label })} title={t('copy.qr')}>
          <IconQrcode size={18} stroke={1.6} aria-hidden />
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown>
        <QrCode text={value} label={t('copy.qrOf', { label })} />
      </Popover.Dropdown>
    </Popover>
  );
}
