import { F2iError } from '../error.ts';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const maximumDepth = 64;

/**
 * Parses JSON strictly: as `JSON.parse`, but a key that occurs twice is an error (JSON.parse would silently keep the
 * last, so that two readers could see two different files), nesting is bounded, and errors name file, line and column.
 */
export function parseJson(text: string, file: string): Json {
  let at = 0;

  function fail(message: string, position = at): never {
    const before = text.slice(0, position);
    const line = before.split('\n').length;
    const column = position - before.lastIndexOf('\n');
    throw new F2iError('FORMAT', message, { file, field: `line ${line}, column ${column}` });
  }

  function skipSpace(): void {
    while (at < text.length && ' \t\n\r'.includes(text[at]!)) at++;
  }

  function string(): string {
    const start = at++;
    while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
    if (at >= text.length) fail('a string does not end', start);
    try {
      return JSON.parse(text.slice(start, ++at)) as string;
    } catch {
      return fail('not a valid string', start);
    }
  }

  function number(): number {
    const match = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
    match.lastIndex = at;
    const digits = match.exec(text)?.[0];
    if (digits === undefined) return fail('not JSON');
    const value = Number(digits);
    if (!Number.isFinite(value)) fail(`the number ${digits} is out of range`);
    at += digits.length;
    return value;
  }

  function list(depth: number): Json[] {
    const items: Json[] = [];
    at++;
    skipSpace();
    if (text[at] === ']') at++;
    else {
      for (;;) {
        items.push(value(depth));
        if (text[at] === ']') break;
        if (text[at] !== ',') fail('expected , or ] in a list');
        at++;
      }
      at++;
    }
    return items;
  }

  function object(depth: number): { [key: string]: Json } {
    const result: { [key: string]: Json } = {};
    const seen = new Set<string>();
    at++;
    skipSpace();
    if (text[at] === '}') {
      at++;
      return result;
    }
    for (;;) {
      skipSpace();
      if (text[at] !== '"') fail('expected a key in double quotes');
      const start = at;
      const key = string();
      if (seen.has(key)) fail(`the key ${JSON.stringify(key)} occurs twice`, start);
      seen.add(key);
      skipSpace();
      if (text[at] !== ':') fail('expected : after a key');
      at++;
      // An assignment to __proto__ would set the prototype instead of a property.
      const property = { value: value(depth), enumerable: true, writable: true, configurable: true };
      Object.defineProperty(result, key, property);
      if (text[at] === '}') break;
      if (text[at] !== ',') fail('expected , or } in an object');
      at++;
    }
    at++;
    return result;
  }

  function value(depth: number): Json {
    if (depth > maximumDepth) fail(`nested deeper than ${maximumDepth} levels`);
    skipSpace();
    const first = text[at];
    let result: Json;
    if (first === '{') result = object(depth + 1);
    else if (first === '[') result = list(depth + 1);
    else if (first === '"') result = string();
    else if (text.startsWith('true', at)) {
      at += 4;
      result = true;
    } else if (text.startsWith('false', at)) {
      at += 5;
      result = false;
    } else if (text.startsWith('null', at)) {
      at += 4;
      result = null;
    } else if (first === undefined) fail('the text ends too early');
    else result = number();
    skipSpace();
    return result;
  }

  const result = value(0);
  if (at < text.length) fail('text after the end of the JSON value');
  return result;
}
