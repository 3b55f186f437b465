/** What holds of graphs on every backend, whether it records their ops or runs them one by one. */
import type { Backend } from '../src/backend.ts';
import { add, choleskyFactor, gather, gemm, layerNorm, mul, slice, softmax } from '../src/ops/index.ts';
import type { OpOptions } from '../src/ops/op.ts';
import { createRandom } from '../src/random.ts';
import type { Tensor } from '../src/tensor.ts';
import { assert, assertEqual, mustReject, mustThrow } from './assert.ts';
import type { Behaviour } from './behaviours.ts';

export const graphBehaviours: Readonly<Record<string, Behaviour>> = {
  'a graph gives the bits of its body, launch after launch': async (backend) => {
    const weights = normals(backend, [33, 33], 1);
    const body = ([x, row]: readonly Tensor[], options: OpOptions) => {
      // Tensors that come and go, some as large as others before them; a list; an operand of one row.
      const hidden = backend.scope(() =>
        gather(gemm(x!, weights, options), { cols: turned(33), ...options }),
      );
      const soft = softmax(hidden, options);
      hidden.dispose();
      const moved = mul(add(soft, row!, options), 0.75, options);
      return [layerNorm(moved, { gain: row!.reshape(33), eps: 1e-5, ...options }), soft];
    };
    const graph = backend.graph(body);
    const rows = normals(backend, [6, 33], 2);
    const results: Tensor[][] = [];
    for (let turn = 0; turn < 6; turn++) {
      const x = normals(backend, [5, 33], 10 + turn);
      results.push(graph.launch([x, rows.rows(turn, turn + 1)]));
      x.dispose();
    }
    graph.dispose();
    for (const [turn, found] of results.entries()) {
      const wanted = body([normals(backend, [5, 33], 10 + turn), rows.rows(turn, turn + 1)], {});
      for (const [i, each] of wanted.entries())
        assertEqual(await found[i]!.download(), await each.download(), `result ${i} of launch ${turn}`);
    }
  },

  'results of a graph are tensors of their own': async (backend) => {
    const outside = backend.tensor([7, 8], [2]);
    const graph = backend.graph(([x]) => {
      const sum = add(x!, outside);
      x!.dispose(); // its own handle
      return [sum, sum, outside, slice(sum, 0, 1, 2)];
    });
    const first = backend.tensor([1, 2], [2]);
    const [sum, again, same, last] = graph.launch([first]);
    sum!.dispose();
    same!.dispose();
    const [second] = graph.launch([backend.tensor([10, 20], [2])]);
    assertEqual(await again!.download(), [8, 10], 'the first launch');
    assertEqual(await last!.download(), [10], 'a part of it');
    assertEqual(await second!.download(), [17, 28], 'the second launch');
    assertEqual(await first.download(), [1, 2], 'what was given');
    assertEqual(await outside.download(), [7, 8], 'what was outside');
    graph.dispose();
  },

  'inputs of every type and shape pass into a graph': async (backend) => {
    const graph = backend.graph((inputs) => inputs);
    const launch = (turn: number) => [
      backend.tensor(Uint16Array.of(0x3c00, 0x0001 + turn), [2], 'f16'),
      backend.tensor([turn - 5, 2 ** 30], [2], 'i32'),
      backend.tensor([turn, 255, 3], [1, 3], 'u8'),
      backend.tensor([0.5 + turn], [], 'f32'),
      backend.zeros([0, 3]),
      backend.tensor([1, 2, 3, 4, 5, turn], [3, 2]).rows(1, 3),
    ];
    for (let turn = 0; turn < 3; turn++) {
      const inputs = launch(turn);
      for (const [i, result] of graph.launch(inputs).entries()) {
        assertEqual(result.shape, inputs[i]!.shape, `shape of input ${i}`);
        assertEqual(await result.download(), await inputs[i]!.download(), `input ${i} of launch ${turn}`);
      }
    }
    graph.dispose();
  },

  'a graph takes what its first launch took': async (backend) => {
    const graph = backend.graph(([x]) => [add(x!, 1)]);
    const x = backend.tensor([1, 2], [2]);
    graph.launch([x]);
    for (const others of [[x.reshape(1, 2)], [x, x], [], [backend.tensor([1, 2], [2], 'i32')]]) {
      mustThrow(() => graph.launch(others), 'INVALID_ARGUMENT', /first launch.*f32\[2\]/);
    }
    assertEqual(await graph.launch([x])[0]!.download(), [2, 3], 'the next launch');
    graph.dispose();
  },

  'a graph refuses what is no list of tensors': async (backend) => {
    const x = backend.tensor([1, 2], [2]);
    await backend.sync();
    const before = backend.stats();
    mustThrow(() => backend.graph(undefined as never), 'INVALID_ARGUMENT', /needs a body.*undefined/);
    let result: () => unknown = () => undefined;
    const graph = backend.graph(([a]) => {
      const y = add(a!, 1);
      return (result() ?? y) as never;
    });
    const refused: readonly (readonly [() => unknown, RegExp])[] = [
      [() => null, /results of a graph.*a list of tensors.*found the tensor f32\[2\]/],
      [async () => [x], /found a promise/],
      [async () => Promise.reject(new Error('on purpose')), /found a promise/],
      [() => [x, 3], /found something of type number in place 1/],
      [() => ({ y: x }), /found something of type object/],
    ];
    for (const [other, found] of refused) {
      result = other;
      mustThrow(() => graph.launch([x]), 'INVALID_ARGUMENT', found);
    }
    mustThrow(
      () => graph.launch(x as never),
      'INVALID_ARGUMENT',
      /launch\(\[x\]\), found the tensor f32\[2\]/,
    );
    mustThrow(() => graph.launch(undefined as never), 'INVALID_ARGUMENT', /found undefined/);
    mustThrow(() => graph.launch([[x]] as never), 'INVALID_ARGUMENT', /found a list in place 0/);
    result = () => [x];
    const [same] = graph.launch([x]);
    assertEqual(await same!.download(), [1, 2], 'the first launch that is right');
    graph.dispose();
    same!.dispose();
    await backend.sync();
    assert(backend.stats().liveTensors === before.liveTensors, 'a refused launch left tensors');
    assert(backend.stats().liveBytes === before.liveBytes, 'a refused launch left memory');
  },

  'the body of a graph runs ops alone': async (backend) => {
    const x = backend.tensor([4, 2, 2, 3], [2, 2]);
    await backend.sync();
    const before = backend.stats();
    let step: () => unknown = () => backend.tensor([1], [1]);
    const graph = backend.graph(([a]) => {
      const y = gemm(a!, a!);
      step();
      return [add(y, 1)];
    });
    const refused = [
      step,
      () => backend.zeros([2]),
      () => backend.adopt(new ArrayBuffer(4), [1], 'f32'),
      () => backend.lend(new ArrayBuffer(4), [1], 'f32'),
    ];
    for (step of refused) {
      mustThrow(() => graph.launch([x]), 'INVALID_ARGUMENT', /body of a graph/);
    }
    step = () => gemm(x, x.reshape(1, 4));
    mustThrow(() => graph.launch([x]), 'INVALID_ARGUMENT', /./);
    let inside: Promise<unknown> | undefined;
    step = () => {
      inside = x.download();
      inside.catch(() => {});
    };
    const [y] = graph.launch([x]);
    await mustReject(inside!, 'INVALID_ARGUMENT', /body of a graph/);
    assertEqual(await y!.download(), [21, 15, 15, 14], 'the first launch that the body allows');
    y!.dispose();
    graph.dispose();
    await backend.sync();
    const after = backend.stats();
    assert(after.liveTensors === before.liveTensors, 'a refused launch left tensors');
    assert(after.liveBytes === before.liveBytes, 'a refused launch left memory');
  },

  'an error in a graph poisons what depends on it, and the next launch begins anew': async (backend) => {
    const graph = backend.graph(([x]) => {
      const factor = (function whereItWasCalled() {
        return choleskyFactor(x!);
      })();
      return [mul(factor, 2), add(x!, 1)];
    });
    const good = backend.tensor([4, 0, 0, 9], [2, 2]);
    const bad = backend.tensor([4, 0, 0, -9], [2, 2]);
    for (const x of [good, bad, good, bad, bad, good]) {
      const [twice, plus] = graph.launch([x]);
      if (x === good) {
        assertEqual(await twice!.download(), [4, 0, 0, 6], 'twice the factor');
      } else {
        const error = await mustReject(twice!.download(), 'NOT_POSITIVE_DEFINITE', /pivot 1/);
        assert(error.op === 'cholesky_factor', `the error names ${error.op}`);
        assert(/whereItWasCalled/.test(`${error.place}`), `the error names the place ${error.place}`);
        await mustReject(backend.sync(), 'NOT_POSITIVE_DEFINITE', /pivot 1/);
      }
      assertEqual(await plus!.download(), [5, 1, 1, x === good ? 10 : -8], 'what does not depend on it');
    }
    // What is launched already tells its place after the graph is gone, too.
    const [twice] = graph.launch([bad]);
    graph.dispose();
    const error = await mustReject(twice!.download(), 'NOT_POSITIVE_DEFINITE', /pivot 1/);
    assert(/whereItWasCalled/.test(`${error.place}`), `the error names the place ${error.place}`);
    await mustReject(backend.sync(), 'NOT_POSITIVE_DEFINITE', /pivot 1/);
  },

  'a failed input poisons what a graph makes of it': async (backend) => {
    const graph = backend.graph(([x, y]) => [add(x!, 1), add(y!, 1)]);
    const one = backend.tensor([1], [1, 1]);
    const failed = choleskyFactor(backend.tensor([-1], [1, 1]));
    graph.launch([one, one]);
    const [bad, good] = graph.launch([failed, one]);
    await mustReject(bad!.download(), 'NOT_POSITIVE_DEFINITE', /pivot 0/);
    assertEqual(await good!.download(), [2], 'what does not depend on it');
    assertEqual(await graph.launch([one, one])[0]!.download(), [2], 'the next launch');
    graph.dispose();
    await mustReject(backend.sync(), 'NOT_POSITIVE_DEFINITE', /pivot 0/);
  },

  'a signal cancels one launch of a graph, and no other': async (backend) => {
    const x = normals(backend, [96, 96], 1, 1 / 10);
    const graph = backend.graph(([a], options) => {
      let chain = gemm(a!, a!, options);
      for (let i = 0; i < 7; i++) {
        const next = gemm(chain, a!, options);
        chain.dispose();
        chain = next;
      }
      return [chain];
    });
    const wanted = await graph.launch([x])[0]!.download();
    const before = backend.stats().liveTensors;
    const aborted = AbortSignal.abort(new Error('no more'));
    mustThrow(() => graph.launch([x], { signal: aborted }), 'CANCELLED', /cancelled/);
    assert(backend.stats().liveTensors === before, 'a launch that is refused left a tensor');
    const controller = new AbortController();
    const { signal } = controller;
    let victim = x;
    for (let i = 0; i < 40; i++) [victim] = graph.launch([x], { signal }) as [Tensor];
    controller.abort(new Error('enough'));
    const error = await mustReject(victim.download(), 'CANCELLED', /cancel/i);
    assert(error.name === 'AbortError', `the error is called ${error.name}`);
    await backend.sync().catch(() => {});
    // Where nothing is copied in, it is the ops that are cancelled.
    const constant = backend.graph((_, options) => [gemm(x, x, options)]);
    const another = new AbortController();
    for (let i = 0; i < 200; i++) [victim] = constant.launch([], { signal: another.signal }) as [Tensor];
    another.abort(new Error('never mind'));
    const dropped = await mustReject(victim.download(), 'CANCELLED', /cancel/i);
    assert(dropped.op === 'gemm', `the error names ${dropped.op}`);
    assert(/never mind/.test(`${dropped.cause}`), `the error gives the reason ${dropped.cause}`);
    constant.dispose();
    await backend.sync().catch(() => {});
    assertEqual(await graph.launch([x])[0]!.download(), wanted, 'the next launch');
    graph.dispose();
    mustThrow(() => graph.launch([x]), 'DISPOSED', /after dispose/);
  },

  'a graph gives its memory back': async (backend) => {
    const x = normals(backend, [64, 64], 1);
    await backend.sync();
    const before = backend.stats();
    for (let turn = 0; turn < 3; turn++) {
      const graph = backend.graph(([a]) => [gemm(gemm(a!, a!), a!)]);
      // In a scope that ends before the graph does.
      const kept = backend.scope(() => graph.launch([graph.launch([x])[0]!]));
      const [last] = graph.launch([x]);
      const values = Promise.all([kept[0]!.download(), last!.download()]);
      graph.dispose(); // what was launched still runs
      graph.dispose();
      const [first, second] = await values;
      assert(first!.every(Number.isFinite) && second!.every(Number.isFinite), 'a launch got lost');
      for (const tensor of [...kept, last!]) tensor.dispose();
    }
    await backend.sync();
    const after = backend.stats();
    assert(after.liveTensors === before.liveTensors, 'a graph keeps tensors');
    assert(after.liveBytes === before.liveBytes, `${after.liveBytes - before.liveBytes} bytes are held`);
  },

  'a graph inside of another is part of it': async (backend) => {
    const inner = backend.graph(([x]) => [mul(x!, 3)]);
    const one = backend.tensor([1], [1]);
    const outer = backend.graph(([x]) => [add(inner.launch([x!])[0]!, 1)]);
    for (const turn of [0, 1, 2]) {
      const [y] = outer.launch([backend.tensor([turn], [1])]);
      assertEqual(await y!.download(), [3 * turn + 1], `launch ${turn}`);
      assertEqual(await inner.launch([one])[0]!.download(), [3], 'the inner one by itself');
    }
    outer.dispose();
    inner.dispose();
  },
};

/** A permutation of columns. */
const turned = (n: number) => Array.from({ length: n }, (_, j) => (7 * j + 3) % n);

function normals(backend: Backend, shape: readonly number[], seed: number, scale = 1): Tensor {
  const size = shape.reduce((product, extent) => product * extent, 1);
  return backend.tensor(
    Float32Array.from(createRandom(seed).normals(size), (v) => v * scale),
    shape,
  );
}
