import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** The files of the folder of goldens, served at `URL/FILE`: none where there is no such folder. */
    goldens: { readonly url: string; readonly files: readonly string[]; readonly required: boolean };
  }
}

const folder =
  process.env.F2I_GOLDENS ?? fileURLToPath(new URL('../../../../shared/goldens', import.meta.url));
const required = (process.env.F2I_REQUIRE ?? '').split(',').includes('goldens');

/** Serves the goldens to pages of every origin: browsers cannot read folders. */
export default async function setup(project: TestProject): Promise<() => void> {
  const files = existsSync(folder) ? readdirSync(folder) : [];
  const server = createServer((request, response) => {
    const file = new URL(request.url!, 'http://x').pathname.slice(1);
    response.setHeader('access-control-allow-origin', '*');
    if (files.includes(file)) response.end(readFileSync(`${folder}/${file}`));
    else response.writeHead(404).end('no such file');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  project.provide('goldens', { url, files, required });
  return () => {
    server.close();
    server.closeAllConnections();
  };
}
