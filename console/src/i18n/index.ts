/** Every word the console shows, in English and Chinese. Both catalogues travel with the first load. */
import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import en from './en.json';
import zh from './zh.json';

export const LANGUAGES = { en: 'English', zh: '中文' } as const;
export type Language = keyof typeof LANGUAGES;

const STORED = 'headwater.language';

declare module 'i18next' {
  interface CustomTypeOptions {
    resources: { translation: typeof en };
  }
}

/** The reader's last choice, else the browser's wish, else English. */
export function preferredLanguage(): Language {
  const stored = localStorage.getItem(STORED);
  if (stored === 'en' || stored === 'zh') return stored;
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

export function chooseLanguage(language: Language): void {
  localStorage.setItem(STORED, language);
  void i18next.changeLanguage(language);
}

export function startI18n(language: Language): void {
  i18next.on('languageChanged', (now) => {
    document.documentElement.lang = now === 'zh' ? 'zh-CN' : 'en';
  });
  void i18next.use(initReactI18next).init({
    lng: language,
    fallbackLng: 'en',
    resources: { en: { translation: en }, zh: { translation: zh } },
    // React escapes; escaping twice would show entities.
    interpolation: { escapeValue: false },
    initAsync: false,
    showSupportNotice: false,
  });
}
