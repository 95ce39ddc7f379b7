import { createTheme, type MantineColorsTuple } from '@mantine/core';

/** Shade 7 on white and shade 4 on the dark surface both pass AA for text. */
const water: MantineColorsTuple = [
  '#e6f7fb',
  '#cdeaf3',
  '#9fd5e6',
  '#6cbfd9',
  '#43adce',
  '#2298bd',
  '#0f84aa',
  '#0b6e8f',
  '#095a76',
  '#05455c',
];

/** Mantine's dark greys, with a little of the water in them. */
const dark: MantineColorsTuple = [
  '#e3eaee',
  '#c4ced4',
  '#9fadb6',
  '#73828c',
  '#35424a',
  '#253037',
  '#1d262b',
  '#161d21',
  '#0f1518',
  '#0a0f11',
];

export const theme = createTheme({
  colors: { water, dark },
  primaryColor: 'water',
  primaryShade: { light: 7, dark: 7 },
  defaultRadius: 'md',
  cursorType: 'pointer',
  fontFamily:
    'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, monospace',
  headings: { fontWeight: '650' },
  respectReducedMotion: true,
});
