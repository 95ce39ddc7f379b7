/** Names and their values, as a definition list with steady digits. */
import type { ReactNode } from 'react';
import classes from './Numbers.module.css';

export interface NumberEntry {
  label: string;
  value: ReactNode;
}

export function Numbers({ entries }: { entries: NumberEntry[] }) {
  return (
    <dl className={classes.list}>
      {entries.map(({ label, value }) => (
        <div key={label} className={classes.entry}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
