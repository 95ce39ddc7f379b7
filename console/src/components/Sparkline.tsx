/** A minute as a line. Scales from zero to the highest value, so that a drop looks like a drop. */
import classes from './Sparkline.module.css';

export interface SparklineProps {
  /** Oldest first, evenly spaced; the newest stands at the right edge. */
  values: readonly number[];
  /** Points that fill the width. */
  capacity: number;
  /** What the line says, for those who do not see it. */
  label: string;
  height?: number;
}

const WIDTH = 120;
const HEADROOM = 1.15;

export function Sparkline({ values, capacity, label, height = 28 }: SparklineProps) {
  const { line, area } = shape(values, capacity, height);
  return (
    <svg
      className={classes.line}
      role="img"
      aria-label={label}
      viewBox={`0 0 ${WIDTH} ${height}`}
      preserveAspectRatio="none"
      style={{ height }}
    >
      <path className={classes.floor} d={`M0 ${height - 0.5}H${WIDTH}`} vectorEffect="non-scaling-stroke" />
      {area && <path className={classes.area} d={area} />}
      {line && <path className={classes.stroke} d={line} vectorEffect="non-scaling-stroke" />}
    </svg>
  );
}

function shape(values: readonly number[], capacity: number, height: number) {
  const shown = values.slice(-capacity);
  if (shown.length < 2) return { line: '', area: '' };
  const top = Math.max(...shown, 1) * HEADROOM;
  const step = WIDTH / (capacity - 1);
  const left = WIDTH - step * (shown.length - 1);
  const points = shown.map(
    (value, index) =>
      `${(left + index * step).toFixed(1)} ${(height - 1 - (value / top) * (height - 2)).toFixed(1)}`,
  );
  const line = `M${points.join('L')}`;
  return { line, area: `${line}V${height}H${left.toFixed(1)}Z` };
}
