/** Numbers as people read them, in the reader's language. */
import type { TFunction } from 'i18next';
import { useTranslation } from 'react-i18next';

export interface Format {
  /** kb/s, as kb/s, Mb/s or Gb/s. */
  bitrate(kbps: number): string;
  /** Seconds as a clock, with days in front. */
  duration(seconds: number): string;
  /** Seconds with the given decimals. */
  seconds(value: number, decimals?: number): string;
  number(value: number, decimals?: number): string;
  /** Seconds, as milliseconds. */
  milliseconds(seconds: number): string;
  /** A share of 0 to 1, as percent. */
  share(value: number): string;
  sampleRate(hertz: number): string;
}

export function useFormat(): Format {
  const { t, i18n } = useTranslation();
  return format(t, i18n.language);
}

export function format(t: TFunction, language: string): Format {
  const number = (value: number, decimals = 0) =>
    new Intl.NumberFormat(language, {
      minimumFractionDigits: decimals,
      maximumFractionDigits: decimals,
    }).format(value);
  return {
    number,
    bitrate(kbps) {
      if (kbps < 1_000) return t('unit.kbps', { value: number(kbps) });
      if (kbps < 1_000_000) return t('unit.mbps', { value: number(kbps / 1_000, kbps < 100_000 ? 2 : 1) });
      return t('unit.gbps', { value: number(kbps / 1_000_000, 2) });
    },
    duration(seconds) {
      const whole = Math.max(0, Math.floor(seconds));
      const days = Math.floor(whole / 86_400);
      const clock = clockText(whole % 86_400, days > 0);
      return days > 0 ? t('count.days', { days: number(days), clock }) : clock;
    },
    seconds: (value, decimals = 0) => t('unit.seconds', { value: number(value, decimals) }),
    milliseconds: (seconds) => t('unit.milliseconds', { value: number(seconds * 1_000) }),
    share: (value) => t('unit.percent', { value: number(value * 100, value > 0 && value < 0.1 ? 1 : 0) }),
    sampleRate: (hertz) => t('unit.khz', { value: number(hertz / 1_000, hertz % 1_000 === 0 ? 0 : 1) }),
  };
}

/** 5 → 0:05, 3723 → 1:02:03. */
function clockText(seconds: number, withHours: boolean): string {
  const hours = Math.floor(seconds / 3_600);
  const minutes = Math.floor((seconds % 3_600) / 60);
  const two = (value: number) => String(value).padStart(2, '0');
  if (hours === 0 && !withHours) return `${minutes}:${two(seconds % 60)}`;
  return `${hours}:${two(minutes)}:${two(seconds % 60)}`;
}
