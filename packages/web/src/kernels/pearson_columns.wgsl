// Pearson correlation by column: products of deviations from the columns' frames (see column_stats.wgsl), summed in
// chunks of rows, then over the chunks.

struct Params {
  col: u32, cols: u32,
  rows: u32, chunk_rows: u32, chunk: u32,
  a: u32, b: u32, lda: u32, ldb: u32,
  chunks: u32, n: f32, y: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> frame_a: array<f32>;
@group(1) @binding(1) var<storage, read> frame_b: array<f32>;
@group(1) @binding(2) var<storage, read> a: array<f32>;
@group(1) @binding(3) var<storage, read> b: array<f32>;
// Of chunk c and column j, from [5 c cols + j], cols apart: sums of a, b, a a, b b, a b.
@group(1) @binding(4) var<storage, read_write> partials: array<f32>;
@group(1) @binding(5) var<storage, read_write> y: array<f32>;

const BLOCK = 16u;

@compute @workgroup_size(64)
fn sum_chunk(@builtin(global_invocation_id) id: vec3u) {
  let col = p.col + id.x;
  if (col >= p.cols) { return; }
  let shift_a = frame_a[col];
  let scale_a = frame_a[p.cols + col];
  let shift_b = frame_b[col];
  let scale_b = frame_b[p.cols + col];
  let end = min(p.rows, (id.y + 1u) * p.chunk_rows);
  var row = id.y * p.chunk_rows;
  var sums = vec2f();
  var products = vec3f();
  while (row < end) {
    let stop = min(end, row + BLOCK);
    var block_sums = vec2f();
    var block_products = vec3f();
    for (; row < stop; row++) {
      let da = (a[p.a + row * p.lda + col] - shift_a) * scale_a;
      let db = (b[p.b + row * p.ldb + col] - shift_b) * scale_b;
      block_sums += vec2f(da, db);
      block_products += vec3f(da * da, db * db, da * db);
    }
    sums += block_sums;
    products += block_products;
  }
  let at = 5u * (p.chunk + id.y) * p.cols + col;
  partials[at] = sums.x;
  partials[at + p.cols] = sums.y;
  partials[at + 2u * p.cols] = products.x;
  partials[at + 3u * p.cols] = products.y;
  partials[at + 4u * p.cols] = products.z;
}

@compute @workgroup_size(64)
fn finish(@builtin(global_invocation_id) id: vec3u) {
  let col = p.col + id.x;
  if (col >= p.cols) { return; }
  var sums = vec2f();
  var products = vec3f();
  for (var chunk = 0u; chunk < p.chunks; chunk++) {
    let at = 5u * chunk * p.cols + col;
    sums += vec2f(partials[at], partials[at + p.cols]);
    products += vec3f(partials[at + 2u * p.cols], partials[at + 3u * p.cols], partials[at + 4u * p.cols]);
  }
  products -= vec3f(sums.x * sums.x, sums.y * sums.y, sums.x * sums.y) / p.n;
  // No variance means none at all: deviations from a constant column are exactly 0.
  let flat = products.x <= 0.0 || products.y <= 0.0;
  y[p.y + col] = select(products.z / (sqrt(products.x) * sqrt(products.y)), 0.0, flat);
}
