/** A line to copy: label, the text itself, a copy button, and a QR code for those who ask. */
import { ActionIcon, Popover, Text, Tooltip } from '@mantine/core';
import { IconCheck, IconCopy, IconQrcode, IconX } from '@tabler/icons-react';
import { useEffect, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import classes from './CopyField.module.css';
import { copyText } from './copyText';
import { QrCode } from './QrCode';

export interface CopyFieldProps {
  label: string;
  value: string;
  /** Offer a QR code: for addresses that a phone opens. */
  qr?: boolean;
  /** Show long text on several lines instead of scrolling it. */
  wrap?: boolean;
}

export function CopyField({ label, value, qr = false, wrap = false }: CopyFieldProps) {
  const id = useId();
  return (
    <div className={classes.field}>
      <Text id={id} size="sm" c="dimmed">
        {label}
      </Text>
      <div className={classes.line}>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling line must be reachable by keyboard */}
        <code className={classes.value} data-wrap={wrap || undefined} aria-labelledby={id} tabIndex={0}>
          {value}
        </code>
        {qr && <QrButton label={label} value={value} />}
        <CopyButton label={label} value={value} />
      </div>
    </div>
  );
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
    <Popover position="bottom-end" shadow="md" trapFocus withArrow>
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
