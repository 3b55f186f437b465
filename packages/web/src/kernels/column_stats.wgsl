// Sums over the rows of each column, in chunks of rows: an invocation per column and chunk, then one per column.
// Values are taken relative to a shift near their mean and times a power of two near the inverse of their spread,
// so that neither a large offset nor an extreme magnitude costs accuracy.

struct Params {
  // First column of this dispatch, and columns in all.
  col: u32, cols: u32,
  // Rows of this window, and of a chunk; the first chunk of this window.
  rows: u32, chunk_rows: u32, chunk: u32,
  // First element of x in its window; its rows are ld elements apart.
  x: u32, ld: u32,
}
@group(0) @binding(0) var<uniform> p: Params;

/// Plain sums of this length are added up in turn: the rounding error grows with the number of blocks, not of rows.
const BLOCK = 16u;

// Of column j: shift at [j], scale at [cols + j].
@group(1) @binding(0) var<storage, read_write> frame: array<f32>;
// Of chunk c and column j: the sum at [3 c cols + j], then that of the squares, then the largest magnitude.
@group(1) @binding(1) var<storage, read_write> partials: array<f32>;
@group(1) @binding(2) var<storage, read> x: array<f32>;

@compute @workgroup_size(64)
fn begin(@builtin(global_invocation_id) id: vec3u) {
  let col = p.col + id.x;
  if (col >= p.cols) { return; }
  frame[col] = x[p.x + col];
  frame[p.cols + col] = 1.0;
}

@compute @workgroup_size(64)
fn sum_chunk(@builtin(global_invocation_id) id: vec3u) {
  let col = p.col + id.x;
  if (col >= p.cols) { return; }
  let shift = frame[col];
  let scale = frame[p.cols + col];
  let end = min(p.rows, (id.y + 1u) * p.chunk_rows);
  var row = id.y * p.chunk_rows;
  var sum = 0.0;
  var squares = 0.0;
  var largest = 0.0;
  while (row < end) {
    let stop = min(end, row + BLOCK);
    var block_sum = 0.0;
    var block_squares = 0.0;
    for (; row < stop; row++) {
      let d = (x[p.x + row * p.ld + col] - shift) * scale;
      block_sum += d;
      block_squares += d * d;
      largest = max(largest, abs(d));
    }
    sum += block_sum;
    squares += block_squares;
  }
  let at = 3u * (p.chunk + id.y) * p.cols + col;
  partials[at] = sum;
  partials[at + p.cols] = squares;
  partials[at + 2u * p.cols] = largest;
}
