import { useMediaQuery } from '@mantine/hooks';

/** True where the list's columns fit. Read at once, so that the page does not change its mind after painting. */
export function useWideScreen(): boolean {
  return useMediaQuery('(min-width: 70em)', true, { getInitialValueInEffect: false });
}
