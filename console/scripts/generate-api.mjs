/**
 * Writes `src/api/schema.d.ts` from the server's OpenAPI document. With `--check` it writes nothing and fails
 * if the file is not what the document says.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import openapiTS, { astToString } from 'openapi-typescript';

const document = new URL('../../docs/openapi.json', import.meta.url);
const target = new URL('../src/api/schema.d.ts', import.meta.url);

const head = '/** Shapes of the HTTP API, from docs/openapi.json. Do not edit: `npm run api` writes it. */\n';
const text = head + astToString(await openapiTS(document));

if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== text) {
    console.error('src/api/schema.d.ts is not what docs/openapi.json says: run `npm run api`');
    process.exitCode = 1;
  }
} else {
  writeFileSync(target, text);
}
