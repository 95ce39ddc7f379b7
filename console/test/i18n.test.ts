import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import en from '../src/i18n/en.json';
import zh from '../src/i18n/zh.json';

const english = flat(en);
const chinese = flat(zh);

describe('catalogues', () => {
  it('have the same keys', () => {
    expect(names(chinese)).toEqual(names(english));
  });

  it('use the same values in each text', () => {
    for (const [key, text] of Object.entries(chinese)) {
      expect([key, values(text)]).toEqual([key, values(english[key] ?? '')]);
    }
  });

  it('leave no text empty', () => {
    for (const [key, text] of [...Object.entries(english), ...Object.entries(chinese)]) {
      expect([key, text.trim()]).not.toEqual([key, '']);
    }
  });

  it('translate: what is the same in both is a name, a number or a unit', () => {
    const words = Object.keys(english).filter(
      (key) => english[key] === chinese[key] && /[a-z]{3}/i.test(english[key] ?? ''),
    );
    expect(words.filter((key) => !SAME_IN_BOTH.has(key))).toEqual([]);
  });

  it('hold no text that nothing shows', () => {
    const source = sources('.ts')
      .concat(sources('.tsx'))
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n');
    const unused = names(english).filter(
      (key) => !source.includes(`'${key}'`) && !ASSEMBLED.some((shape) => shape.test(key)),
    );
    expect(unused).toEqual([]);
  });
});

describe('source', () => {
  it('shows no text that is not from the catalogue', () => {
    expect(sources('.tsx').flatMap(hardCoded)).toEqual([]);
  });
});

const SAME_IN_BOTH = new Set([
  'app.name',
  'player.flv',
  'player.ws',
  'client.viaFlv',
  'player.rtmp',
  'client.viaRtmp',
  'client.viaRtc',
  'player.hls',
  'player.whep',
  'client.viaHls',
  'client.viaSrt',
  'publish.obs',
  'publish.ffmpeg',
  'browser.lines',
  'track.video',
  'track.size',
  'unit.kbps',
  'unit.mbps',
  'unit.gbps',
  'unit.khz',
]);

/** Keys that the source puts together from a checked set of words. */
const ASSEMBLED = [
  /^error\.\w+\.(title|text)$/,
  /^problem\.\w+\.(title|text)$/,
  /^player\.phase\.\w+$/,
  /^player\.(flv|ws|hls|whep)$/,
  /^rtc\.\w+\.(title|text)$/,
  /^device\.\w+\.(title|text)$/,
  /^browser\.(camera|screen|none)$/,
  /^browser\.limited\.\w+$/,
  /^client\.(phase|level)\.\w+$/,
  /^publish\.ways\.\w+$/,
  /^level\.\w+$/,
  /^count\.streams$/,
];

function flat(tree: object, prefix = ''): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tree).flatMap(([key, value]) =>
      typeof value === 'string' ? [[prefix + key, value]] : Object.entries(flat(value, `${prefix}${key}.`)),
    ),
  );
}

/** Keys without plural endings, which differ between languages by their nature. */
function names(catalogue: Record<string, string>): string[] {
  return [...new Set(Object.keys(catalogue).map((key) => key.replace(/_(one|other)$/, '')))].sort();
}

function values(text: string): string[] {
  return [...text.matchAll(/\{\{([^}]+)\}\}|\$t\(([\w.]+)/g)].map(([whole]) => whole).sort();
}

function sources(extension: string): string[] {
  const root = join(process.cwd(), 'src');
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(extension) && !file.includes('.test.'))
    .map((file) => join(root, file));
}

const SHOWN_ATTRIBUTES = new Set([
  'aria-label',
  'title',
  'placeholder',
  'label',
  'description',
  'alt',
  'text',
  'hint',
]);
const LETTERS = /\p{L}/u;

/** Literal text between tags or in an attribute that people read. */
function hardCoded(file: string): string[] {
  const source = ts.createSourceFile(
    file,
    readFileSync(file, 'utf8'),
    ts.ScriptTarget.ES2022,
    true,
    ts.ScriptKind.TSX,
  );
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const text = shownText(node);
    if (text !== null && LETTERS.test(text)) found.push(`${file}: ${text.trim()}`);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function shownText(node: ts.Node): string | null {
  if (ts.isJsxText(node)) return node.text;
  if (ts.isJsxAttribute(node) && SHOWN_ATTRIBUTES.has(node.name.getText())) {
    return node.initializer && ts.isStringLiteral(node.initializer) ? node.initializer.text : null;
  }
  const inTag = ts.isJsxExpression(node) && (ts.isJsxElement(node.parent) || ts.isJsxFragment(node.parent));
  return inTag && node.expression && ts.isStringLiteral(node.expression) ? node.expression.text : null;
}
