/**
 * Fails the build when the first load (everything but the players) outgrows its budget, or when something
 * that a strict content policy forbids got in.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const BUDGET = 350 * 1024;
const dist = new URL('../dist/', import.meta.url).pathname;

const manifest = JSON.parse(readFileSync(join(dist, '.vite/manifest.json'), 'utf8'));
const html = readFileSync(join(dist, 'index.html'), 'utf8');

/** What the entry loads by itself: static imports, not `import()`. */
function firstLoad(key, seen = new Set()) {
  const chunk = manifest[key];
  if (seen.has(chunk.file)) return seen;
  seen.add(chunk.file);
  for (const css of chunk.css ?? []) seen.add(css);
  for (const imported of chunk.imports ?? []) firstLoad(imported, seen);
  return seen;
}

const gzipped = (bytes) => gzipSync(bytes, { level: 9 }).length;
const files = [...firstLoad('index.html')].map((file) => [file, gzipped(readFileSync(join(dist, file)))]);
files.push(['index.html', gzipped(html)]);
const total = files.reduce((sum, [, size]) => sum + size, 0);

const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
for (const [file, size] of files) console.log(`${kib(size).padStart(10)}  ${file}`);
console.log(`${kib(total).padStart(10)}  first load, gzipped, of ${kib(BUDGET)}`);

const problems = [];
if (total > BUDGET)
  problems.push(`the first load is ${kib(total - BUDGET)} over its budget: load something later`);
if (/<script(?![^>]*\bsrc=)/.test(html)) problems.push('index.html has an inline script');
if (/(src|href)="(https?:)?\/\//.test(html)) problems.push('index.html loads something from outside');
for (const problem of problems) console.error(`check-size: ${problem}`);
process.exitCode = problems.length > 0 ? 1 : 0;
