/**
 * Writes `src/api/schema.d.ts` from the server's OpenAPI document, before every build and lint: an API that
 * changed under the console becomes a type error here.
 */
import { writeFileSync } from 'node:fs';
import openapiTS, { astToString } from 'openapi-typescript';

const document = new URL('../../docs/openapi.json', import.meta.url);
const target = new URL('../src/api/schema.d.ts', import.meta.url);

const head =
  '/** Shapes of the HTTP API. Generated from docs/openapi.json by `npm run api`: do not edit. */\n';
writeFileSync(target, head + astToString(await openapiTS(document)));
