/** A titled part of a page. */
import { Title } from '@mantine/core';
import { type ReactNode, useId } from 'react';
import classes from './Panel.module.css';

export function Panel({ title, hint, children }: { title: string; hint?: string; children: ReactNode }) {
  const id = useId();
  return (
    <section className={classes.panel} aria-labelledby={id}>
      <Title id={id} order={2} className={classes.title}>
        {title}
      </Title>
      {hint && <p className={classes.hint}>{hint}</p>}
      <div className={classes.body}>{children}</div>
    </section>
  );
}
