import { F2iError } from '../../../error.ts';

/** A tag, or text between tags with its entities replaced. `<a/>` is two tags. */
export type XmlEvent =
  | { readonly kind: 'open'; readonly name: string; readonly attributes: ReadonlyMap<string, string> }
  | { readonly kind: 'close'; readonly name: string }
  | { readonly kind: 'text'; readonly text: string };

/** Nesting that no file of data has. */
const MAXIMUM_DEPTH = 64;
const MAXIMUM_ATTRIBUTES = 64;

const NAME = /[A-Za-z_:][\w:.-]*/y;
const SPACE = /[ \t\r\n]*/y;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/**
 * The part of XML 1.0 that data files use: tags, text, CDATA, comments, processing instructions and a document type
 * without declarations of its own. Entities are the five of XML and numbers of characters: none can be declared, so
 * nothing expands. The text is passed over once, without recursion.
 *
 * @throws FORMAT, naming the line, for what is not well-formed; UNSUPPORTED for a document type with declarations
 */
export function* xmlEvents(text: string, file: string): Generator<XmlEvent, void, void> {
  const open: string[] = [];
  let hasRoot = false;
  let at = text.startsWith('\ufeff') ? 1 : 0;

  const fail = (message: string, found?: string): never => {
    const line = lineAt(text, at);
    throw new F2iError('FORMAT', `not well-formed XML: ${message}`, { file, field: `line ${line}`, found });
  };
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  };
  /** Up to a mark, which is passed over. */
  const until = (mark: string, what: string): string => {
    const end = text.indexOf(mark, at);
    if (end < 0) fail(`${what} does not end`);
    const inside = text.slice(at, end);
    at = end + mark.length;
    return inside;
  };
  const replaced = (raw: string): string =>
    raw.includes('&')
      ? raw.replace(
          /&([^;]{0,12};?)/g,
          (all, entity: string) => character(entity) ?? fail('an unknown entity', all),
        )
      : raw;

  while (at < text.length) {
    if (text[at] !== '<') {
      const next = text.indexOf('<', at);
      const raw = text.slice(at, next < 0 ? text.length : next);
      if (open.length > 0) yield { kind: 'text', text: replaced(raw) };
      else if (raw.trim() !== '') fail('text outside of the root', JSON.stringify(raw.trim().slice(0, 40)));
      at += raw.length;
    } else if (text.startsWith('<!--', at)) {
      at += 4;
      until('-->', 'a comment');
    } else if (text.startsWith('<![CDATA[', at)) {
      at += 9;
      const raw = until(']]>', 'a CDATA section');
      if (open.length === 0) fail('text outside of the root');
      yield { kind: 'text', text: raw };
    } else if (text.startsWith('<?', at)) {
      at += 2;
      until('?>', 'a processing instruction');
    } else if (text.startsWith('<!DOCTYPE', at)) {
      if (hasRoot) fail('a document type after the root began');
      const declaration = until('>', 'the document type');
      if (declaration.includes('[')) {
        throw new F2iError('UNSUPPORTED', 'a document type with declarations of its own is not read', {
          file,
          field: `line ${lineAt(text, at)}`,
        });
      }
    } else if (text[at + 1] === '/') {
      at += 2;
      const name = match(NAME) ?? fail('a tag without a name');
      match(SPACE);
      if (text[at] !== '>') fail(`the tag </${name} does not end`);
      at++;
      const expected = open.pop();
      if (expected !== name)
        fail(`</${name}> closes ${expected === undefined ? 'nothing' : `<${expected}>`}`);
      yield { kind: 'close', name };
    } else {
      at++;
      const name = match(NAME) ?? fail('a tag without a name');
      if (open.length === 0 && hasRoot) fail('a second root', name);
      hasRoot = true;
      const attributes = new Map<string, string>();
      for (;;) {
        const space = match(SPACE);
        if (text[at] === '>' || text[at] === '/') break;
        const key = match(NAME);
        if (!space || key === undefined) return fail(`the tag <${name} does not end`);
        match(SPACE);
        if (text[at] !== '=') fail(`the attribute ${key} has no value`);
        at++;
        match(SPACE);
        const quote = text[at]!;
        if (quote !== '"' && quote !== "'") fail(`the value of ${key} is not in quotes`);
        at++;
        const value = until(quote, `the value of ${key}`);
        if (value.includes('<')) fail(`the value of ${key} holds a tag`);
        if (attributes.has(key)) fail('an attribute occurs twice', key);
        if (attributes.size >= MAXIMUM_ATTRIBUTES) fail(`more than ${MAXIMUM_ATTRIBUTES} attributes`);
        attributes.set(key, replaced(value));
      }
      const isEmpty = text[at] === '/';
      if (isEmpty && text[++at] !== '>') fail(`the tag <${name} does not end`);
      at++;
      if (open.length >= MAXIMUM_DEPTH) fail(`nested deeper than ${MAXIMUM_DEPTH} levels`);
      yield { kind: 'open', name, attributes };
      if (isEmpty) yield { kind: 'close', name };
      else open.push(name);
    }
  }
  if (open.length > 0) fail(`the text ends within <${open.at(-1)}>`);
  if (!hasRoot) fail('there is no root');
}

function character(entity: string): string | undefined {
  const known = ENTITIES[entity.slice(0, -1)];
  if (known !== undefined && entity.endsWith(';')) return known;
  const digits = /^#(?:x([0-9a-fA-F]{1,6})|(\d{1,7}));$/.exec(entity);
  if (!digits) return undefined;
  const point = digits[1] ? Number.parseInt(digits[1], 16) : Number(digits[2]);
  const isCharacter = point > 0 && point <= 0x10ffff && !(point >= 0xd800 && point < 0xe000);
  return isCharacter ? String.fromCodePoint(point) : undefined;
}

function lineAt(text: string, at: number): number {
  let line = 1;
  for (let next = text.indexOf('\n'); next >= 0 && next < at; next = text.indexOf('\n', next + 1)) line++;
  return line;
}
