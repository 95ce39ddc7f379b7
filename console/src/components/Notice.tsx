/** Says what happened and what to do about it. */
import { Alert, Text } from '@mantine/core';
import { IconAlertTriangle, IconInfoCircle } from '@tabler/icons-react';
import type { ReactNode } from 'react';

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
    <Alert
      variant="light"
      color={kind === 'problem' ? 'orange' : 'water'}
      icon={<Icon size={20} aria-hidden />}
      title={title}
      role={kind === 'problem' ? 'alert' : 'status'}
    >
      <Text size="sm" mb={children ? 'sm' : 0}>
        {text}
      </Text>
      {children}
    </Alert>
  );
}
