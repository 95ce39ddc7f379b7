/** A bar that moves with a level, read anew for each frame without touching the page around it. */
import { useEffect, useRef } from 'react';
import classes from './LevelMeter.module.css';

export interface LevelMeterProps {
  label: string;
  /** 0 to 1. */
  read: () => number;
}

/** Part of the height that the bar loses with each frame: it rises at once and falls slowly, as ears expect. */
const FALL = 0.04;

export function LevelMeter({ label, read }: LevelMeterProps) {
  const bar = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    let shown = 0;
    let frame = 0;
    const draw = () => {
      shown = Math.max(read(), shown - FALL);
      bar.current?.style.setProperty('transform', `scaleX(${shown.toFixed(3)})`);
      frame = requestAnimationFrame(draw);
    };
    draw();
    return () => cancelAnimationFrame(frame);
  }, [read]);
  return (
    <span className={classes.meter} role="img" aria-label={label}>
      <span ref={bar} className={classes.bar} />
    </span>
  );
}
