import { F2iError } from '@fmri2image/core';

/** Something to tell: what happened, where, and what was expected and found. */
export interface Notice {
  readonly id: number;
  readonly kind: 'error' | 'note';
  readonly title: string;
  readonly message: string;
  readonly file?: string | undefined;
  readonly field?: string | undefined;
  readonly expected?: string | undefined;
  readonly found?: string | undefined;
}

let last = 0;

export function note(title: string, message: string): Notice {
  return { id: ++last, kind: 'note', title, message };
}

/** An error as a notice; its parts are told one by one, so the message is without them. */
export function noticeOf(title: string, error: unknown): Notice {
  const id = ++last;
  if (!(error instanceof F2iError)) {
    return { id, kind: 'error', title, message: error instanceof Error ? error.message : String(error) };
  }
  const { file, field, expected, found } = error;
  return { id, kind: 'error', title, message: bareMessage(error), file, field, expected, found };
}

/** A message as a sentence. A name at its beginning (of a file, a field) keeps its case. */
export function sentenceOf(message: string): string {
  const text = /^[a-z]+[ ,;]/.test(message)
    ? `${message.charAt(0).toUpperCase()}${message.slice(1)}`
    : message;
  return /[.?!]$/.test(text) ? text : `${text}.`;
}

/** What `F2iError` was given as message, before it put file, field, expected and found around it. */
function bareMessage({ message, file, field, op, expected, found }: F2iError): string {
  let text = message.split('\n  enqueued ')[0]!;
  const where = [file, field, op].filter((part) => part !== undefined).join(': ');
  if (where && text.startsWith(`${where}: `)) text = text.slice(where.length + 2);
  const tail =
    (expected === undefined ? '' : `; expected ${expected}`) +
    (found === undefined ? '' : `${expected === undefined ? ';' : ','} found ${found}`);
  return tail && text.endsWith(tail) ? text.slice(0, -tail.length) : text;
}
