import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import {
  bytesSource,
  createRandom,
  F2iError,
  inspectFile,
  openPth,
  readArray,
  toFloat32,
} from '../../src/index.ts';
import { errorOf } from '../data/helpers/errors.ts';
import { itWith, sharedSource } from '../data/helpers/shared_data.ts';
import {
  archive,
  call,
  dict,
  FALSE,
  floats,
  int,
  list,
  NONE,
  name,
  op,
  type Pickle,
  source,
  state,
  storage,
  tensor,
  text,
  tuple,
  whole,
} from './pickler.ts';

const open = (bytes: Uint8Array) => openPth(source(bytes));
const six = floats(1, 2, 3, 4, 5, 6);
const ordered = name('collections', 'OrderedDict');

describe('checkpoints', () => {
  it('give tensors by their flattened keys, lazily', async () => {
    let read = 0;
    const large = new Uint8Array(1 << 20);
    const bytes = archive(
      whole(
        state({
          model_state_dict: state({ 'a.weight': tensor({ shape: [2, 3] }) }),
          optimizer_state_dict: state({
            state: dict([int(0), tensor({ storage: { key: '1', length: 1 << 18 }, shape: [1 << 18] })]),
          }),
          epoch: int(7),
        }),
      ),
      { 0: six, 1: large },
    );
    const inner = source(bytes);
    const opened = await openPth({
      ...inner,
      async read(offset, length, signal) {
        read += length;
        return inner.read(offset, length, signal);
      },
    });
    expect([...opened.entries.values()]).toEqual([
      { name: 'model_state_dict.a.weight', dtype: 'f32', shape: [2, 3], byteLength: 24 },
      { name: 'optimizer_state_dict.state.0', dtype: 'f32', shape: [1 << 18], byteLength: 1 << 20 },
    ]);
    expect(opened.values.get('epoch')).toBe(7);
    expect(await opened.readElements('model_state_dict.a.weight', 1, 4)).toEqual(Float32Array.of(2, 3, 4));
    expect(read).toBeLessThan(100_000);
  });

  it('materialise views whose elements jump about', async () => {
    const views = {
      transposed: tensor({ storage: { length: 6 }, shape: [3, 2], strides: [1, 3] }),
      column: tensor({ storage: { length: 6 }, shape: [2], strides: [3], offset: 1 }),
      whole: tensor({ shape: [6] }),
    };
    const opened = await open(archive(whole(state(views)), { 0: six }));
    expect(await opened.readElements('transposed', 0, 6)).toEqual(Float32Array.of(1, 4, 2, 5, 3, 6));
    expect(await opened.readElements('transposed', 2, 5)).toEqual(Float32Array.of(2, 5, 3));
    expect(await opened.readElements('column', 0, 2)).toEqual(Float32Array.of(2, 5));
    const error = await errorOf(opened.readElements('whole', 5, 7));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'whole' });
  });

  it('are told from npz, described, and read as arrays', async () => {
    const bytes = archive(whole(state({ a: tensor({ shape: [2, 3] }), epoch: int(3) })), { 0: six });
    expect(await inspectFile(source(bytes))).toMatchObject({
      format: 'pth',
      arrays: [{ name: 'a', dtype: 'f32', shape: [2, 3] }],
      details: { epoch: 3 },
    });
    const array = { dtype: 'f32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) };
    expect(await readArray(source(bytes))).toEqual(array);
    expect(await readArray(source(bytes), { array: 'a' })).toEqual(array);
    expect((await errorOf(readArray(source(bytes), { array: 'b' }))).message).toMatch(/b: no such tensor/);
  });

  it('read big-endian numbers where the archive says so', async () => {
    const bytes = Uint8Array.from([0x3f, 0x80, 0, 0]);
    const pickle = whole(state({ a: tensor({ shape: [1] }) }));
    const order = (text: string) => ({ 'archive/byteorder': new TextEncoder().encode(text) });
    const opened = await open(archive(pickle, { 0: bytes }, order('big')));
    expect(await opened.readElements('a', 0, 1)).toEqual(Float32Array.of(1));
    expect((await errorOf(open(archive(pickle, { 0: bytes }, order('odd'))))).message).toMatch(
      /byteorder.*"odd"/,
    );
  });

  it('notice damaged data where a storage is read whole', async () => {
    const bytes = archive(whole(state({ a: tensor({ shape: [6] }) })), { 0: six });
    const at = Buffer.from(bytes).indexOf(Buffer.from(six));
    bytes[at + 9]! ^= 1;
    const opened = await open(bytes);
    await opened.readElements('a', 0, 3);
    const error = await errorOf(opened.readElements('a', 3, 6));
    expect(error).toMatchObject({ code: 'FORMAT', file: 'a.pth/archive/data/0', field: 'CRC-32' });
  });

  it('are released when a read is cancelled', async () => {
    const bytes = archive(whole(state({ a: tensor({ shape: [6] }) })), { 0: six });
    const opened = await open(bytes);
    const controller = new AbortController();
    controller.abort();
    expect((await errorOf(opened.readElements('a', 0, 6, controller.signal))).code).toBe('CANCELLED');
    expect(await opened.readElements('a', 0, 6)).toHaveLength(6);
  });

  itWith('data')('of a real autoencoder: 79 tensors a half, in f16', async () => {
    for (const half of ['encoder', 'decoder']) {
      const opened = await openPth(await sharedSource(`autoencoder-taef2/taef2_${half}.pth`));
      expect(opened.entries.size).toBe(79);
      let parameters = 0;
      for (const { name: key, dtype, shape } of opened.entries.values()) {
        expect(dtype).toBe('f16');
        const count = shape.reduce((product, extent) => product * extent, 1);
        const data = await opened.readElements(key, 0, count);
        const values = toFloat32({ dtype, shape, data });
        expect(values.every(Number.isFinite), key).toBe(true);
        expect(
          values.some((value) => value !== 0),
          key,
        ).toBe(true);
        parameters += count;
      }
      expect(parameters / 1e6).toBeCloseTo(1.34, 1);
    }
  });
});

describe('pickles that would do something', () => {
  const hostile: [string, Pickle, RegExp][] = [
    ['os.system', call(name('os', 'system'), text('true')), /opcode GLOBAL.*"os.system"/],
    ['posix.system', call(name('posix', 'system'), text('true')), /"posix.system"/],
    ['eval', call(name('builtins', 'eval'), text('1')), /"builtins.eval"/],
    ['exec of Python 2', call(name('__builtin__', 'exec'), text('1')), /"__builtin__.exec"/],
    ['an import', call(name('importlib', 'import_module'), text('os')), /"importlib.import_module"/],
    [
      'a name with a dot in it',
      name('torch', '_utils._rebuild_tensor_v2.__globals__'),
      /opcode GLOBAL.*__globals__/,
    ],
    ['a module that swallows the name', name('torch._utils._rebuild_tensor_v2.x', 'y'), /opcode GLOBAL/],
    ['torch.load itself', call(name('torch', 'load'), text('x')), /"torch.load"/],
    [
      'bytes that are a pickle',
      call(name('torch.storage', '_load_from_bytes'), text('x')),
      /_load_from_bytes/,
    ],
    [
      'a name from the stack',
      [...text('os'), ...text('system'), ...op(0x93)],
      /opcode STACK_GLOBAL.*"os.system"/,
    ],
    ['a name that is no text', [...int(1), ...text('system'), ...op(0x93)], /STACK_GLOBAL.*not a name/],
    ['names of Object', name('__proto__', 'constructor'), /opcode GLOBAL/],
    ['INST', [...op('('), ...op('i'), ...Buffer.from('os\nsystem\n')], /opcode INST.*"os.system"/],
    ['OBJ', [...op('('), ...ordered, ...op('o')], /opcode OBJ/],
    ['NEWOBJ', [...ordered, ...tuple(), ...op(0x81)], /opcode NEWOBJ.*collections.OrderedDict/],
    ['NEWOBJ with arguments', [...name('torch.optim.adam', 'Adam'), ...tuple(int(1)), ...op(0x81)], /NEWOBJ/],
    ['NEWOBJ_EX', [...ordered, ...tuple(), ...dict(), ...op(0x92)], /opcode NEWOBJ_EX/],
    ['EXT1', op(0x82, [1]), /opcode EXT1/],
    ['EXT2', op(0x83, [1, 0]), /opcode EXT2/],
    ['EXT4', op(0x84, [1, 0, 0, 0]), /opcode EXT4/],
    ['a buffer from outside', op(0x97), /opcode NEXT_BUFFER/],
    ['a persistent id in text', [...op('P'), ...Buffer.from('x\n')], /opcode PERSID/],
    ['a persistent id that is no storage', [...text('x'), ...op('Q')], /BINPERSID.*no storage/],
    [
      'a persistent id of another kind',
      [...tuple(text('module'), NONE, NONE, NONE, NONE), ...op('Q')],
      /no storage/,
    ],
    [
      'a storage of another class',
      [...tuple(text('storage'), ordered, text('0'), text('cpu'), int(1)), ...op('Q')],
      /this class/,
    ],
    ['a call of a result', call(call(ordered)), /opcode REDUCE.*something else than a name/],
    [
      'a call of a type',
      call(name('torch', 'FloatStorage'), int(1)),
      /torch.FloatStorage is not to be called/,
    ],
    ['arguments that are no tuple', [...ordered, ...list(), ...op('R')], /no tuple/],
    [
      'getattr',
      call(name('builtins', 'getattr'), name('torch', 'float32'), text('__class__')),
      /getattr.*not to be called/,
    ],
    [
      'getattr of a schedule',
      call(name('builtins', 'getattr'), name('torch.optim.lr_scheduler', 'OneCycleLR'), text('__init__')),
      /getattr/,
    ],
    ['an encoding', call(name('_codecs', 'encode'), text('x'), text('rot13')), /"latin1"/],
    ['objects in numpy', call(name('numpy', 'dtype'), text('O8'), FALSE, FALSE), /numpy.dtype.*"O8"/],
    ['a state on a list', [...list(), ...state({ a: NONE }), ...op('b')], /opcode BUILD/],
    [
      'a state on a tensor',
      [...tensor({ shape: [1] }), ...state({ __class__: NONE }), ...op('b')],
      /opcode BUILD/,
    ],
  ];
  it.each(hostile)('%s is refused', async (_, body, message) => {
    const error = await errorOf(open(archive(whole(body), { 0: floats(1) })));
    expect(error).toMatchObject({ code: 'FORMAT', file: 'a.pth/archive/data.pkl' });
    expect(error.message).toMatch(message);
    expect(error.field).toMatch(/^opcode [A-Z0-9_]+ at byte \d+$/);
  });

  it('inside of a state dict that nothing asks for, too', async () => {
    const bytes = archive(
      whole(state({ a: tensor({ shape: [1] }), lr_scheduler: call(name('os', 'system'), text('true')) })),
      { 0: floats(1) },
    );
    expect((await errorOf(open(bytes))).message).toMatch(/"os.system"/);
  });

  const malformed: [string, Pickle, RegExp][] = [
    ['an unknown opcode', [0xff], /opcode 0xff.*not an opcode/],
    ['a newer protocol', [0x80, 6], /newer pickle protocol/],
    ['an empty stack', op('R'), /the stack is empty/],
    ['no mark', op('t'), /no mark/],
    [
      'reaching below a mark',
      [...NONE, ...op('('), ...op('0'), ...op('0'), ...op('0')],
      /the stack is empty/,
    ],
    ['leftovers', [...NONE, ...NONE], /left over/],
    ['an unknown memo', op('h', [9]), /BINGET.*memo/],
    ['a key without a value', [...op('}'), ...op('('), ...NONE, ...op('u')], /key without a value/],
    ['a key twice', dict([text('a'), NONE], [text('a'), NONE]), /a key occurs twice.*"a"/],
    ['a key that is a list', dict([list(), NONE]), /not a key/],
    ['appending to a dict', [...op('}'), ...NONE, ...op('a')], /not a list/],
    ['a text that is not UTF-8', op('X', [1, 0, 0, 0, 0xff]), /UTF-8/],
    ['a text beyond the end', op('X', [255, 255, 0, 0]), /ends too early/],
    ['a text of 4 GiB', op('X', [255, 255, 255, 255]), /larger than any checkpoint/],
    ['a number of 2 GiB', op(0x8b, [0, 0, 0, 0x80]), /larger than any checkpoint/],
    ['marks without end', new Array(2000).fill(0x28), /MARK.*nested containers/],
    ['a huge memo index', [...NONE, ...op('r', [255, 255, 255, 255])], /memo/],
  ];
  it.each(malformed)('%s is refused', async (_, body, message) => {
    expect((await errorOf(open(archive(whole(body))))).message).toMatch(message);
  });
});

describe('checkpoints that lie', () => {
  const outside: [string, Pickle, RegExp][] = [
    [
      'a shape beyond the storage',
      tensor({ storage: { length: 6 }, shape: [7], strides: [1] }),
      /outside its storage/,
    ],
    ['an offset beyond', tensor({ storage: { length: 6 }, shape: [2], offset: 5 }), /outside/],
    ['strides beyond', tensor({ storage: { length: 6 }, shape: [2, 2], strides: [5, 2] }), /outside/],
    [
      'a negative stride',
      tensor({ storage: { length: 6 }, shape: [2], strides: [-1], offset: 3 }),
      /not strides.*-1/,
    ],
    ['a negative offset', tensor({ storage: { length: 6 }, shape: [2], offset: -1 }), /not an offset/],
    ['a negative extent', tensor({ storage: { length: 6 }, shape: [-2], strides: [1] }), /not a shape/],
    [
      'an extent that overflows',
      tensor({ storage: { length: 6 }, shape: [2 ** 52, 2 ** 52], strides: [0, 0] }),
      /repeats/,
    ],
    [
      'repeated elements',
      tensor({ storage: { length: 6 }, shape: [1e6, 6], strides: [0, 1] }),
      /repeats the elements/,
    ],
    ['fewer strides', tensor({ storage: { length: 6 }, shape: [2, 3], strides: [3] }), /as many strides/],
    ['many axes', tensor({ storage: { length: 6 }, shape: new Array(40).fill(1) }), /at most 32 axes/],
    [
      'a storage described twice',
      [...state({ a: storage({ length: 6 }), b: storage({ length: 5 }) })],
      /in two ways/,
    ],
    [
      'of two types',
      [...state({ a: storage({ length: 6 }), b: storage({ type: 'IntStorage', length: 6 }) })],
      /in two ways/,
    ],
    ['a negative storage', storage({ length: -1 }), /number of elements/],
    ['a storage of 2^60', storage({ length: 2 ** 52 }), /larger than any file/],
    [
      'a key that leaves the folder',
      storage({ key: '../../etc/passwd', length: 1 }),
      /not the key of a storage.*passwd/,
    ],
    ['an absolute key', storage({ key: '/etc/passwd', length: 1 }), /not the key of a storage/],
    ['a key with NUL', storage({ key: '0\0', length: 1 }), /not the key of a storage/],
    ['an overlong key', storage({ key: '0'.repeat(65), length: 1 }), /not the key of a storage/],
    ['a key of nobody', storage({ key: '__proto__', length: 1 }), /missing from the archive|key/],
    [
      'a class that is not read',
      storage({ type: 'ComplexFloatStorage', length: 1 }),
      /"torch.ComplexFloatStorage"/,
    ],
  ];
  it.each(outside)('%s', async (_, body, message) => {
    const error = await errorOf(open(archive(whole(body), { 0: six })));
    expect(error.code).toBe('FORMAT');
    expect(error.message).toMatch(message);
  });

  const names: [string, Pickle, RegExp][] = [
    ['a name that climbs', state({ '../../x': tensor({ shape: [6] }) }), /leaves its folder/],
    ['an absolute name', state({ '/x': tensor({ shape: [6] }) }), /absolute path/],
    ['a drive', state({ 'C:\\x': tensor({ shape: [6] }) }), /absolute path/],
    ['NUL', state({ 'x\0': tensor({ shape: [6] }) }), /control character/],
    ['an overlong name', state({ ['x'.repeat(600)]: tensor({ shape: [6] }) }), /longer than 512/],
    ['__proto__', dict([text('__proto__'), state({ polluted: tensor({ shape: [6] }) })]), /__proto__/],
    [
      'two of a name',
      state({ 'a.b': tensor({ shape: [6] }), a: state({ b: tensor({ shape: [6] }) }) }),
      /two tensors.*a\.b|a\.b.*two tensors/,
    ],
    ['an empty name', state({ '': tensor({ shape: [6] }) }), /./],
  ];
  it.each(names)('by %s', async (what, body, message) => {
    const outcome = open(archive(whole(body), { 0: six }));
    if (what === 'an empty name') expect([...(await outcome).entries.keys()]).toEqual(['tensor']);
    else expect((await errorOf(outcome)).message).toMatch(message);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('by containers that hold themselves, or too much', async () => {
    const circle = [...op(']'), ...op('q', [1]), ...op('h', [1]), ...op('a')];
    expect((await errorOf(open(archive(whole(circle))))).message).toMatch(/holds itself/);
    let deep: Pickle = tensor({ shape: [6] });
    for (let i = 0; i < 100; i++) deep = list(deep);
    expect((await errorOf(open(archive(whole(deep), { 0: six })))).message).toMatch(/too deep/);
    // Ten levels of lists that each hold the one below ten times over: a few bytes, 10^10 values.
    let many: Pickle = [...list(NONE), ...op('q', [0])];
    for (let level = 1; level <= 10; level++) {
      const below = op('h', [level - 1]);
      many = [...many, ...op('0'), ...list(...new Array(10).fill(below)), ...op('q', [level])];
    }
    expect((await errorOf(open(archive(whole(many))))).message).toMatch(/more values than any checkpoint/);
  });

  it('but not by a set that is made of many small steps', async () => {
    const set = [
      ...op(0x8f),
      ...Array.from({ length: 300_000 }, () => [...op('('), ...NONE, ...op(0x90)]).flat(),
    ];
    const pickle = whole(state({ a: tensor({ shape: [6] }), s: set }));
    expect(await (await open(archive(pickle, { 0: six }))).readElements('a', 0, 6)).toHaveLength(6);
    const wrong = whole(state({ s: [...op(']'), ...op('('), ...NONE, ...op(0x90)] }));
    expect((await errorOf(open(archive(wrong)))).message).toMatch(/not a set/);
  });

  const pickle = whole(state({ a: tensor({ shape: [6] }) }));
  const files: [string, Uint8Array, RegExp][] = [
    ['a storage that is missing', archive(pickle), /data\/0: a storage is missing/],
    [
      'a storage that is shorter',
      archive(pickle, { 0: six.subarray(4) }),
      /storage 0.*24 bytes for 6.*found 20/,
    ],
    ['a storage that is longer', archive(pickle, { 0: new Uint8Array(25) }), /found 25/],
    ['a pickle that goes on', archive(Uint8Array.from([...pickle, 0]), { 0: six }), /bytes after the end/],
    ['no pickle', zipSync({ 'a/b': six }), /not a checkpoint.*1 other/],
    [
      'two pickles',
      archive(pickle, { 0: six }, { 'b/data.pkl': pickle }),
      /archive\/data\.pkl, b\/data\.pkl/,
    ],
    ['a program', archive(pickle, { 0: six }, { 'archive/constants.pkl': pickle }), /TorchScript/],
    ['a file that climbs', archive(pickle, { 0: six }, { '../x': six }), /"\.\.\/x".*names a file outside/],
    ['an absolute file', archive(pickle, { 0: six }, { '/x': six }), /"\/x"/],
    [
      'compressed storages',
      zipSync({ 'a/data.pkl': pickle, 'a/data/0': [new Uint8Array(24), { level: 6 }] }, { level: 6 }),
      /compressed storage/,
    ],
    ['an empty file', new Uint8Array(0), /an empty file/],
    ['another file', new Uint8Array(100).fill(7), /not a checkpoint of PyTorch/],
  ];
  it.each(files)('by %s', async (_, bytes, message) => {
    const error = await errorOf(open(bytes));
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^a\.pth/);
  });

  it('but may compress the pickle', async () => {
    const bytes = zipSync({ 'a/data.pkl': [pickle, { level: 9 }], 'a/data/0': [six, { level: 0 }] });
    expect(await (await open(bytes)).readElements('a', 0, 6)).toHaveLength(6);
  });

  it('by flags of encryption', async () => {
    const bytes = archive(pickle, { 0: six });
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const directory = view.getUint32(bytes.length - 6, true);
    view.setUint16(directory + 8, view.getUint16(directory + 8, true) | 1, true);
    expect((await errorOf(open(bytes))).message).toMatch(/encrypted/);
  });
});

describe('damaged checkpoints', () => {
  const bytes = archive(
    whole(
      state({
        model: state({
          a: tensor({ shape: [2, 3] }),
          b: tensor({ storage: { length: 6 }, shape: [3], strides: [2] }),
        }),
        epoch: int(3),
        losses: list(op('G', [63, 240, 0, 0, 0, 0, 0, 0]), NONE),
      }),
    ),
    { 0: six },
  );
  async function attempt(damaged: Uint8Array): Promise<Map<string, unknown> | F2iError> {
    try {
      const opened = await openPth(bytesSource(damaged, 'a.pth'));
      const read = new Map<string, unknown>();
      for (const { name: key, shape } of opened.entries.values()) {
        const count = shape.reduce((product, extent) => product * extent, 1);
        read.set(key, await opened.readElements(key, 0, count));
      }
      return read;
    } catch (error) {
      if (!(error instanceof F2iError)) throw error;
      expect(error.message).toMatch(/^a\.pth/);
      expect(['FORMAT', 'UNSUPPORTED']).toContain(error.code);
      return error;
    }
  }

  it('every truncation is an error', async () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(await attempt(bytes.subarray(0, length)), `${length}`).toBeInstanceOf(F2iError);
    }
  });

  it('2000 flipped bits: an error, or the numbers as they were', async () => {
    const random = createRandom(11);
    const truth = (await attempt(bytes)) as Map<string, unknown>;
    let errors = 0;
    for (let trial = 0; trial < 2000; trial++) {
      const copy = bytes.slice();
      copy[random.integer(copy.length)]! ^= 1 << random.integer(8);
      const outcome = await attempt(copy);
      if (outcome instanceof F2iError) errors++;
      else expect([...outcome]).toEqual([...truth]);
    }
    expect(errors).toBeGreaterThan(1500);
  });

  it('3000 damaged pickles whose archive is whole: an error, or tensors inside their storage', async () => {
    const random = createRandom(12);
    const good = whole(
      state({
        a: tensor({ shape: [2, 3] }),
        b: call(ordered, list(tuple(text('c'), tensor({ shape: [6] })))),
        n: int(5),
      }),
    );
    let errors = 0;
    for (let trial = 0; trial < 3000; trial++) {
      const copy = good.slice();
      for (let k = random.integer(3); k >= 0; k--)
        copy[2 + random.integer(copy.length - 2)] = random.integer(256);
      if ((await attempt(archive(copy, { 0: six }))) instanceof F2iError) errors++;
    }
    expect(errors).toBeGreaterThan(2000);
  });
});
