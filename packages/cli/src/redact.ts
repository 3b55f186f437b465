import { homedir } from 'node:os';

/**
 * Hides the user's home folder: results are shared, and its path often is a person's name. Replaced only as a whole
 * part of a path: with a home of /home/ann, /home/anna stays.
 */
export function redactHome(text: string): string {
  return homes().reduce((redacted, home) => redacted.replace(asPath(home), '~'), text);
}

/** As $HOME says and as the account says, longest first. */
function homes(): string[] {
  const named = [process.env.HOME, process.env.USERPROFILE, homedir()];
  const folders = named.flatMap((home) => home?.replace(/[\\/]+$/, '') || []);
  return [...new Set(folders)].sort((a, b) => b.length - a.length);
}

function asPath(home: string): RegExp {
  return new RegExp(`(?<![\\w.-])${home.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w-]|\\.\\w)`, 'g');
}
