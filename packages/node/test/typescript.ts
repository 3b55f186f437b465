import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const here = dirname(fileURLToPath(import.meta.url));
const base = resolve(here, '../../../tsconfig.base.json');

/** What a TypeScript module becomes without its types. */
export function typescript(code: string): string {
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  return ts.transpileModule(code, { compilerOptions }).outputText;
}

/** Type errors of modules, each as if it were a file of this folder, with the repository's settings. */
export function typeErrors(modules: readonly string[]): string[] {
  const { options } = ts.convertCompilerOptionsFromJson(
    { ...ts.readConfigFile(base, ts.sys.readFile).config.compilerOptions, types: ['node'] },
    here,
  );
  const files = new Map(modules.map((code, i) => [join(here, `snippet-${i}.ts`), code]));
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (name) => files.has(name) || fileExists(name);
  host.readFile = (name) => files.get(name) ?? readFile(name);
  host.getSourceFile = (name, version, ...rest) => {
    const code = files.get(name);
    return code === undefined
      ? getSourceFile.call(host, name, version, ...rest)
      : ts.createSourceFile(name, code, version);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return [...files.keys()].flatMap((name) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(name))
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')),
  );
}
