import { F2iError } from '../../../error.ts';
import { kindOf, type PickleValue, PyDict, PyList, PyTuple, quoted, Tensor } from './values.ts';

/** Levels of containers; real state dicts have four. */
const MAXIMUM_DEPTH = 64;
/** Values looked at: a pickle can mention one container many times. */
const MAXIMUM_VALUES = 4_000_000;
const MAXIMUM_NAME = 512;

/**
 * The tensors of nested containers under their keys, joined by dots: `model_state_dict.ridge.linears.0.weight`. What is
 * no tensor is passed over.
 *
 * @throws FORMAT, naming the key, for names that are no plain names (`../`, NUL, `__proto__`, overlong), for two tensors
 *   of one name, and for containers that hold themselves
 */
export function flatten(root: PickleValue, file: string): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  const open = new Set<PickleValue>();
  let values = 0;

  const fail = (message: string, field: string, expected?: string): never => {
    throw new F2iError('FORMAT', message, { file, field, expected });
  };

  function visit(value: PickleValue, path: string, depth: number): void {
    if (++values > MAXIMUM_VALUES) fail('more values than any checkpoint has', quoted(path));
    if (value instanceof Tensor) {
      const name = path === '' ? 'tensor' : path;
      checkName(name, file);
      if (tensors.has(name)) fail('two tensors of one name', name, 'each name once');
      tensors.set(name, value);
      return;
    }
    const entries = childrenOf(value);
    if (!entries) return;
    if (depth >= MAXIMUM_DEPTH)
      fail('containers are nested too deep', quoted(path), `${MAXIMUM_DEPTH} levels`);
    if (open.has(value)) fail('a container holds itself', quoted(path));
    open.add(value);
    for (const [key, inner] of entries) {
      if (key instanceof Tensor) fail(`a key is ${kindOf(key)}`, quoted(path), 'a text or a number');
      visit(inner, path === '' ? `${key}` : `${path}.${key}`, depth + 1);
    }
    open.delete(value);
  }

  visit(root, '', 0);
  return tensors;
}

function childrenOf(
  value: PickleValue,
): Iterable<[string | number | bigint | Tensor, PickleValue]> | undefined {
  if (value instanceof PyDict) return value.entries;
  if (value instanceof PyList || value instanceof PyTuple) return value.items.entries();
  return undefined;
}

/** Names become names of files' entries and keys of JSON: none may mean something else there. */
function checkName(name: string, file: string): void {
  const reasons: readonly (readonly [boolean, string])[] = [
    [name.length === 0, 'is empty'],
    [name.length > MAXIMUM_NAME, `is longer than ${MAXIMUM_NAME} characters`],
    [/\p{Cc}/u.test(name), 'holds a control character'],
    [/^\/|^[A-Za-z]:[\\/]|\\/.test(name), 'is an absolute path, or holds a backslash'],
    [name.split('/').some((part) => part === '..' || part === '.'), 'leaves its folder'],
    [name.split('.').includes('__proto__'), 'holds __proto__'],
  ];
  const reason = reasons.find(([bad]) => bad)?.[1];
  if (reason === undefined) return;
  throw new F2iError('FORMAT', `the name of a tensor ${reason}`, {
    file,
    field: quoted(name),
    expected: 'a plain name, such as backbone.clip_proj.0.weight',
  });
}

/** Numbers and texts beside the tensors, of the outermost dict: the epoch, above all. */
export function plainValues(root: PickleValue): Map<string, number | string | boolean> {
  const plain = new Map<string, number | string | boolean>();
  if (!(root instanceof PyDict)) return plain;
  for (const [key, value] of root.entries) {
    const isPlain = typeof value === 'number' || typeof value === 'boolean';
    if (isPlain || (typeof value === 'string' && value.length <= 200)) plain.set(`${key}`, value as number);
  }
  return plain;
}
