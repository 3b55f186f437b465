import type { ElementType } from '../../ndarray.ts';
import {
  Forgotten,
  kindOf,
  NumpyArray,
  NumpyDtype,
  type PickleValue,
  PyDict,
  PyGlobal,
  PyList,
  PySet,
  PyTuple,
  quoted,
  Storage,
  Tensor,
} from './values.ts';

/** Says what is wrong at the opcode that is being read; never returns. */
export type Refuse = (message: string, expected?: string, found?: string) => never;

/** Builds a value out of the arguments of REDUCE. Plain data in, plain data out. */
type Builder = (args: readonly PickleValue[], refuse: Refuse) => PickleValue;

/** Classes of storages: what `torch.save` names, one for each element type. */
const STORAGES: Readonly<Record<string, ElementType>> = {
  DoubleStorage: 'f64',
  FloatStorage: 'f32',
  HalfStorage: 'f16',
  BFloat16Storage: 'bf16',
  LongStorage: 'i64',
  IntStorage: 'i32',
  ShortStorage: 'i16',
  CharStorage: 'i8',
  ByteStorage: 'u8',
  BoolStorage: 'bool',
};

const ELEMENT_TYPES = [
  'float64',
  'float32',
  'float16',
  'bfloat16',
  'int64',
  'int32',
  'int16',
  'int8',
  'uint8',
];

/** torch keeps more than any published model needs. */
const MAXIMUM_AXES = 32;

/**
 * The allow-list: each name that a pickle may mention, and what is built where it is called. Names without a builder may
 * only stand as arguments. None of them is looked up anywhere: the names select code of this file.
 */
const ALLOWED: ReadonlyMap<string, Builder | undefined> = new Map<string, Builder | undefined>([
  ...Object.keys(STORAGES).map((name) => [`torch.${name}`, undefined] as const),
  ...[...ELEMENT_TYPES, 'bool'].map((name) => [`torch.${name}`, undefined] as const),
  ['torch._utils._rebuild_tensor', (args, refuse) => rebuildTensor(args, 4, 4, refuse)],
  ['torch._utils._rebuild_tensor_v2', (args, refuse) => rebuildTensor(args, 6, 7, refuse)],
  ['torch._utils._rebuild_parameter', rebuildParameter],
  ['torch.Size', sizeOf],
  ['torch.device', device],
  ['collections.OrderedDict', orderedDict],
  ['collections.defaultdict', defaultDict],
  ['collections.Counter', counter],
  ...['builtins', '__builtin__'].flatMap((module): [string, Builder | undefined][] => [
    [`${module}.set`, setOf],
    [`${module}.frozenset`, setOf],
    [`${module}.dict`, undefined],
    [`${module}.list`, undefined],
    [`${module}.int`, undefined],
    [`${module}.float`, undefined],
    [`${module}.getattr`, annealing],
  ]),
  ...['lr_scheduler.OneCycleLR', 'adamw.AdamW', 'adam.Adam'].map(
    (name) => [`torch.optim.${name}`, undefined] as const,
  ),
  ['_codecs.encode', latin1],
  ['numpy.dtype', numpyDtype],
  ['numpy.ndarray', undefined],
  ...['numpy.core', 'numpy._core'].flatMap((module): [string, Builder][] => [
    [`${module}.multiarray.scalar`, numpyScalar],
    [`${module}.multiarray._reconstruct`, numpyArray],
  ]),
]);

/** An allowed name as a value. */
export function lookUp(module: string, name: string, refuse: Refuse): PyGlobal {
  if (!ALLOWED.has(`${module}.${name}`)) {
    refuse(
      'the pickle names something that is neither a tensor nor a plain container; it is not run',
      'names that torch.save writes for tensors, containers and numbers',
      quoted(`${module}.${name}`),
    );
  }
  return new PyGlobal(module, name);
}

/** What REDUCE gives. */
export function build(callable: PickleValue, args: PickleValue, refuse: Refuse): PickleValue {
  if (!(callable instanceof PyGlobal)) {
    return refuse('something else than a name is called', 'an allowed name', kindOf(callable));
  }
  if (!(args instanceof PyTuple)) return refuse('arguments are no tuple', 'a tuple', kindOf(args));
  const builder = ALLOWED.get(`${callable}`);
  if (!builder) return refuse(`${callable} is not to be called here`);
  return builder(args.items, (message, expected, found) =>
    refuse(`${callable}: ${message}`, expected, found),
  );
}

/** The class of a storage, or undefined. */
export function storageType(value: PickleValue | undefined): ElementType | undefined {
  if (!(value instanceof PyGlobal) || value.module !== 'torch') return undefined;
  return Object.hasOwn(STORAGES, value.name) ? STORAGES[value.name] : undefined;
}

// --- Tensors -------------------------------------------------------------------------------------------------

/** (storage, offset, size, stride[, requires_grad, backward_hooks[, metadata]]) of torch/_utils.py. */
function rebuildTensor(
  args: readonly PickleValue[],
  least: number,
  most: number,
  refuse: Refuse,
): PickleValue {
  if (args.length < least || args.length > most) {
    refuse('not its arguments', least === most ? `${least}` : `${least} to ${most}`, `${args.length}`);
  }
  const [storage, offset, size, stride] = args;
  if (!(storage instanceof Storage)) return refuse('not a storage', 'a storage', kindOf(storage));
  if (!isCount(offset)) return refuse('not an offset', 'a whole number, 0 or more', kindOf(offset));
  const shape = extentsOf(size, 'a shape', refuse);
  const strides = extentsOf(stride, 'strides', refuse);
  if (shape.length !== strides.length) {
    refuse('as many strides as axes', `${shape.length}`, `${strides.length}`);
  }
  checkExtent(storage, offset, shape, strides, refuse);
  return new Tensor(storage, offset, shape, strides);
}

/** Every element that the view can name lies in the storage; a view does not claim more elements than there are. */
function checkExtent(
  storage: Storage,
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
  refuse: Refuse,
): void {
  const claim = `[${shape.join(', ')}] with strides [${strides.join(', ')}] from element ${offset}`;
  const has = `at most ${storage.length} elements, as the storage ${quoted(storage.key)} has`;
  if (shape.includes(0)) {
    if (offset > storage.length) refuse('the tensor lies outside its storage', has, claim);
    return;
  }
  const count = shape.reduce((product, extent) => product * extent, 1);
  const last = shape.reduce((sum, extent, axis) => sum + (extent - 1) * strides[axis]!, offset);
  if (!(last < storage.length)) refuse('the tensor lies outside its storage', has, claim);
  if (!(count <= storage.length)) refuse('the tensor repeats the elements of its storage', has, claim);
}

function rebuildParameter(args: readonly PickleValue[], refuse: Refuse): PickleValue {
  const [tensor] = args;
  if (args.length !== 3 || !(tensor instanceof Tensor)) {
    return refuse('not its arguments', 'a tensor and two more', args.map(kindOf).join(', '));
  }
  return tensor;
}

function sizeOf(args: readonly PickleValue[], refuse: Refuse): PickleValue {
  if (args.length !== 1) refuse('not its arguments', 'a tuple', `${args.length} arguments`);
  return new PyTuple(extentsOf(args[0], 'a shape', refuse));
}

function device(args: readonly PickleValue[], refuse: Refuse): PickleValue {
  const known = args.every((arg) => typeof arg === 'string' || isCount(arg));
  if (!known || args.length < 1 || args.length > 2) refuse('not its arguments', 'a name and a number');
  return args.join(':');
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function extentsOf(value: PickleValue | undefined, what: string, refuse: Refuse): number[] {
  const items = value instanceof PyTuple ? value.items : refuse(`not ${what}`, 'a tuple', kindOf(value));
  if (items.length > MAXIMUM_AXES) refuse(`not ${what}`, `at most ${MAXIMUM_AXES} axes`, `${items.length}`);
  return items.map((item) =>
    isCount(item) ? item : refuse(`not ${what}`, 'whole numbers, 0 or more', kindOf(item)),
  );
}

// --- Containers ----------------------------------------------------------------------------------------------

/** Python 3 fills it by SETITEMS; Python 2 hands over a list of pairs. */
function orderedDict(args: readonly PickleValue[], refuse: Refuse): PickleValue {
  const dict = new PyDict();
  if (args.length === 0) return dict;
  const [pairs] = args;
  if (args.length > 1 || !(pairs instanceof PyList)) {
    return refuse('not its arguments', 'none, or a list of pairs', args.map(kindOf).join(', '));
  }
  for (const pair of pairs.items) {
    if (!(pair instanceof PyTuple || pair instanceof PyList) || pair.items.length !== 2) {
      refuse('not a pair', 'a key and a value', kindOf(pair));
    }
    setItem(dict, (pair as PyTuple).items[0]!, (pair as PyTuple).items[1]!, refuse);
  }
  return dict;
}

/** The factory is a name, and is not called. */
function defaultDict(args: readonly PickleValue[], refuse: Refuse): PickleValue {
  const plain = args.length === 0 || (args.length === 1 && (args[0] === null || args[0] instanceof PyGlobal));
  if (!plain) refuse('not its arguments', 'the name of a container', args.map(kindOf).join(', '));
  return new PyDict();
}

function counter(args: readonly PickleValue[], refuse: Refuse): PickleValue {
  const [counts] = args;
  if (args.length === 0) return new PyDict();
  if (args.length > 1 || !(counts instanceof PyDict)) {
    return refuse('not its arguments', 'a dict', args.map(kindOf).join(', '));
  }
  return counts;
}

function setOf(args: readonly PickleValue[], refuse: Refuse): PickleValue {
  const [items] = args;
  if (args.length === 0) return new PySet([]);
  if (args.length > 1 || !(items instanceof PyList || items instanceof PyTuple)) {
    return refuse('not its arguments', 'a list', args.map(kindOf).join(', '));
  }
  return new PySet([...items.items]);
}

export function setItem(dict: PyDict, key: PickleValue, value: PickleValue, refuse: Refuse): void {
  const isPlain = typeof key === 'string' || typeof key === 'number' || typeof key === 'bigint';
  if (!isPlain && !(key instanceof Tensor)) {
    refuse('not a key', 'a text or a number', kindOf(key));
  }
  // Python keeps the last; another reader might keep the first.
  if (dict.entries.has(key)) refuse('a key occurs twice in a dict', 'each key once', kindOf(key));
  dict.entries.set(key, value);
}

// --- Numbers of numpy, and what else schedulers leave --------------------------------------------------------

/**
 * `OneCycleLR.state_dict()` of torch before 2.1 holds a method, which Python pickles as getattr(schedule, name), and with
 * it the schedule and its optimiser. They are forgotten, and the method becomes its name; every other use of getattr is
 * refused, and so is every other object.
 */
function annealing(args: readonly PickleValue[], refuse: Refuse): PickleValue {
  const [owner, name] = args;
  const known = name === '_annealing_cos' || name === '_annealing_linear';
  if (args.length !== 2 || !known || kindOf(owner) !== 'torch.optim.lr_scheduler.OneCycleLR') {
    return refuse(
      'not to be called here',
      'only the name of a schedule of OneCycleLR',
      args.map(kindOf).join(', '),
    );
  }
  return name;
}

/** What NEWOBJ gives: nothing but a name, for the three classes that checkpoints drag along. */
export function newObject(type: PickleValue, args: PickleValue, refuse: Refuse): PickleValue {
  const plain = args instanceof PyTuple && args.items.length === 0;
  if (!(type instanceof PyGlobal) || !type.module.startsWith('torch.optim.') || !plain) {
    return refuse('the pickle makes an object; it is not made', 'tensors and plain containers', kindOf(type));
  }
  return new Forgotten(`${type}`);
}

/** Bytes in pickles of protocol 2: a text whose characters are their values. */
function latin1(args: readonly PickleValue[], refuse: Refuse): PickleValue {
  const [text, encoding] = args;
  if (args.length !== 2 || typeof text !== 'string' || encoding !== 'latin1') {
    return refuse('not its arguments', 'a text and "latin1"', args.map(kindOf).join(', '));
  }
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255) refuse('not latin1', 'characters up to 255', `${code}`);
    bytes[i] = code;
  }
  return bytes;
}

function numpyDtype(args: readonly PickleValue[], refuse: Refuse): PickleValue {
  const [code] = args;
  if (typeof code !== 'string' || !/^[<>=|]?(?:[fiu][1248]|b1)$/.test(code) || args.length > 3) {
    return refuse('not an element type', 'a number or boolean, such as "f8"', kindOf(code));
  }
  return new NumpyDtype(code.replace(/^[<>=|]/, ''));
}

/** (dtype, bytes): one number, little-endian as all machines that train are. */
function numpyScalar(args: readonly PickleValue[], refuse: Refuse): PickleValue {
  const [dtype, bytes] = args;
  if (args.length !== 2 || !(dtype instanceof NumpyDtype) || !(bytes instanceof Uint8Array)) {
    return refuse('not its arguments', 'an element type and bytes', args.map(kindOf).join(', '));
  }
  const size = Number(dtype.code.slice(1));
  if (bytes.length !== size) refuse('not a number of its type', `${size} bytes`, `${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  switch (dtype.code) {
    case 'f8':
      return view.getFloat64(0, true);
    case 'f4':
      return view.getFloat32(0, true);
    case 'i8':
      return view.getBigInt64(0, true);
    case 'u8':
      return view.getBigUint64(0, true);
    case 'i4':
      return view.getInt32(0, true);
    case 'i2':
      return view.getInt16(0, true);
    case 'b1':
      return bytes[0] !== 0;
    case 'u1':
      return bytes[0]!;
    case 'i1':
      return view.getInt8(0);
    case 'u4':
      return view.getUint32(0, true);
    case 'u2':
      return view.getUint16(0, true);
    default:
      return refuse('numbers of this type are not read', 'f4, f8, or whole numbers', dtype.code);
  }
}

/** An empty array, which BUILD fills; it stays unread. */
function numpyArray(args: readonly PickleValue[], refuse: Refuse): PickleValue {
  if (args.length !== 3 || `${args[0]}` !== 'numpy.ndarray') {
    refuse('not its arguments', 'numpy.ndarray and two more', args.map(kindOf).join(', '));
  }
  return new NumpyArray();
}

/** What BUILD may do: set the attributes of a state dict (version numbers), or finish a value of numpy. */
export function buildState(target: PickleValue | undefined, state: PickleValue, refuse: Refuse): void {
  const isDropped = target instanceof PyDict || target instanceof Forgotten;
  if (isDropped && state instanceof PyDict) return;
  if (target instanceof NumpyDtype && state instanceof PyTuple) {
    const order = state.items[1];
    if (order === '>') refuse('numpy values of this byte order are not read', 'little-endian', 'big-endian');
    return;
  }
  if (target instanceof NumpyArray && state instanceof PyTuple) {
    target.shape = extentsOf(state.items[1], 'a shape', refuse);
    return;
  }
  refuse(
    'the state of an object is not set here',
    'state of a state dict',
    `${kindOf(target)} and ${kindOf(state)}`,
  );
}
