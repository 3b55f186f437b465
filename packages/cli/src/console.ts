/** What commands print: results on stdout, everything else on stderr. */
export interface Console {
  readonly json: boolean;
  /** A line of the result for people; not printed with --json. */
  print(line?: string): void;
  /** The result for programs; printed with --json alone. */
  result(value: unknown): void;
  /** Something the user should know. */
  warn(line: string): void;
  /**
   * A transient line, on a terminal alone. `share` (0..1) adds a percentage and the time that is left; `detail` follows
   * them.
   */
  progress(what: string, share?: number, detail?: string): void;
}

export function createConsole(options: { json?: boolean | undefined; quiet?: boolean | undefined }): Console {
  const json = options.json ?? false;
  const live = process.stderr.isTTY === true && !options.quiet;
  let shown = false;
  let task = '';
  let started = 0;
  let first = 0;
  const clear = () => {
    if (shown) process.stderr.write('\r\x1b[K');
    shown = false;
  };
  return {
    json,
    print(line = '') {
      clear();
      if (!json) process.stdout.write(`${printable(line)}\n`);
    },
    result(value) {
      clear();
      if (json) process.stdout.write(`${JSON.stringify(value)}\n`);
    },
    warn(line) {
      clear();
      process.stderr.write(`${printable(line)}\n`);
    },
    progress(what, share, detail) {
      if (!live) return;
      if (what !== task) [task, started, first] = [what, performance.now(), share ?? 0];
      let line = what;
      if (share !== undefined) {
        line += ` ${Math.round(100 * share)} %`;
        const elapsed = (performance.now() - started) / 1e3;
        // What was there at the beginning took no time of this run.
        if (share - first > 0.02 && share < 1 && elapsed > 2)
          line += `, ${clock((elapsed * (1 - share)) / (share - first))} left`;
      }
      if (detail) line += ` (${detail})`;
      process.stderr.write(`\r\x1b[K${line}`);
      shown = true;
    },
  };
}

/** Text from files may hold codes that rewrite the terminal: they are shown, not obeyed. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (code) =>
    code === '\n' ? code : `\\x${code.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** hh:mm:ss */
function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  return [whole / 3600, (whole / 60) % 60, whole % 60]
    .map((part) => String(Math.floor(part)).padStart(2, '0'))
    .join(':');
}

/** Columns aligned by spaces; numbers should come as formatted text. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
