/** A coloured dot with its reason in words: colour alone says nothing to many readers. */
import classes from './StatusDot.module.css';

export type Status = 'good' | 'warning' | 'bad' | 'idle';

export function StatusDot({ status, level, reason }: { status: Status; level: string; reason: string }) {
  return (
    <span className={classes.status}>
      <span className={classes.dot} data-status={status} aria-hidden />
      <span className="visually-hidden">{level}</span>
      <span className={classes.reason}>{reason}</span>
    </span>
  );
}
