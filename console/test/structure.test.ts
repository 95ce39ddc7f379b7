import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

const SOURCE = join(process.cwd(), 'src');

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter(
  (file) => /\.tsx?$/.test(file) && !/\.(test|d)\.tsx?$/.test(file),
);

/** What a file imports from the console itself, as folders below src/. */
function imports(file: string): string[] {
  const text = readFileSync(join(SOURCE, file), 'utf8');
  const paths = [...text.matchAll(/from '(\.[^']+)'|import\('(\.[^']+)'\)/g)].map(([, a, b]) => a ?? b ?? '');
  return paths.map((path) => normalize(join(dirname(file), path)));
}

function offenders(folder: string, forbidden: RegExp): string[] {
  return files
    .filter((file) => file.startsWith(folder))
    .flatMap((file) =>
      imports(file)
        .filter((path) => forbidden.test(path))
        .map((path) => `${file} imports ${path}`),
    );
}

describe('the parts keep to themselves', () => {
  it.each([
    ['components/', /^(api|live|pages|players)\b/],
    ['players/', /^(api|live|pages|components|app)\b/],
    ['webrtc/', /^(api|live|pages|players|components|app|broadcast)\b/],
    ['broadcast/', /^(api|live|pages|players|components|app)\b/],
    ['api/', /^(live|pages|players|components|app)\b/],
    ['media/', /^(api|live|pages|players|components|app)\b/],
    ['pages/', /^api\/(client|credentials)$/],
  ])('%s', (folder, forbidden) => {
    const found = offenders(folder, forbidden).filter((line) => !TYPES_ONLY.has(line));
    expect(found).toEqual([]);
  });

  it('only the client and signalling speak to the server', () => {
    const speakers = files.filter((file) => /\bfetch\(/.test(readFileSync(join(SOURCE, file), 'utf8')));
    expect(speakers.sort()).toEqual(['api/client.ts', 'webrtc/signalling.ts']);
  });

  it('players are fetched when wanted, never before', () => {
    const engines = files.filter((file) =>
      /from '(mpegts\.js|hls\.js)'/.test(readFileSync(join(SOURCE, file), 'utf8')),
    );
    const eager = files.flatMap((file) => {
      const text = readFileSync(join(SOURCE, file), 'utf8');
      return engines.filter((engine) =>
        text.includes(`from './${engine.replace(/^players\//, '').replace(/\.ts$/, '')}'`),
      );
    });
    expect(engines.sort()).toEqual(['players/flv.ts', 'players/hls.ts']);
    expect(eager).toEqual([]);
  });
});

/** A page may name a shape of the API. */
const TYPES_ONLY = new Set(['pages/Stream/ClientsPanel.tsx imports api/client']);
