// What the three parts of the eigensolver share: see eigh.wgsl.

struct Params {
  n: u32, round: u32,
  // First invocation of this dispatch along x and y.
  x: u32, y: u32,
  a: u32, values: u32, vectors: u32,
}
@group(0) @binding(0) var<uniform> p: Params;

struct State {
  // Power of two that brings the largest entry near 1, and its inverse.
  scale: f32, inverse: f32,
  // Entries off the diagonal that are not larger count as zero.
  threshold: f32,
  rotations: atomic<u32>,
  done: u32,
}
const NOT_DONE = 0u;
const CONVERGED = 1u;
const NOT_FINITE = 2u;

@group(1) @binding(0) var<storage, read_write> state: State;
// Of each row, as bits: its largest magnitude, then its sum of squares, then rank and sign of its eigenvector.
@group(1) @binding(1) var<storage, read_write> rows: array<vec2u>;
// The matrix, full; eigenvectors in the rows of v.
@group(1) @binding(2) var<storage, read_write> work: array<f32>;
@group(1) @binding(3) var<storage, read_write> v: array<f32>;
