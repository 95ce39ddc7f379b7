import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** Where the API lives while developing; `npm run dev` starts the mock there. */
const api = process.env.HEADWATER_CONSOLE_API ?? 'http://127.0.0.1:2122';

export default defineConfig({
  base: '/',
  plugins: [react()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1000,
    manifest: true,
  },
  server: { port: 5173, strictPort: true, proxy: { '/api': api } },
});
