/** A QR code, drawn as one path; black on white in both themes, as scanners want it. */
import { useMemo } from 'react';
import { encode } from 'uqr';

export function QrCode({ text, label, size = 196 }: { text: string; label: string; size?: number }) {
  const { modules, path } = useMemo(() => draw(text), [text]);
  return (
    <svg
      role="img"
      aria-label={label}
      width={size}
      height={size}
      viewBox={`0 0 ${modules} ${modules}`}
      shapeRendering="crispEdges"
    >
      <rect width={modules} height={modules} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}

function draw(text: string): { modules: number; path: string } {
  const { size, data } = encode(text, { ecc: 'M', border: 2 });
  const squares = data.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : '')));
  return { modules: size, path: squares.join('') };
}
