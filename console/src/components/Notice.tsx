/** Says what happened and what to do about it. */
import { Text } from '@mantine/core';
import { IconAlertTriangle, IconInfoCircle } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import classes from './Notice.module.css';

export interface NoticeProps {
  kind: 'problem' | 'info';
  title: string;
  /** What to do. */
  text: string;
  /** Buttons, a form, a line to copy. */
  children?: ReactNode;
}

export function Notice({ kind, title, text, children }: NoticeProps) {
  const Icon = kind === 'problem' ? IconAlertTriangle : IconInfoCircle;
  return (
    <div className={classes.notice} data-kind={kind} role={kind === 'problem' ? 'alert' : 'status'}>
      <Icon size={22} stroke={1.7} className={classes.icon} aria-hidden />
      <div className={classes.body}>
        <Text fw={650}>{title}</Text>
        <Text size="sm">{text}</Text>
        {children && <div className={classes.more}>{children}</div>}
      </div>
    </div>
  );
}
