// What both forms of attention share. Each query keeps its largest logit so far, the sum of exponentials relative to
// it and the sum of values weighted by them (the online softmax: Milakov and Gimelshein 2018, arXiv 1805.02867; Rabe
// and Staats 2021, arXiv 2112.05682), so that keys may come in pieces. All numbers here are finite: hidden keys and
// NaN are told by logits beyond those that count. Needs bits.wgsl and exponential.wgsl.

/// Where the rows of an operand lie: first element in its window, elements between two items of the batch, two heads
/// and two rows.
struct Place { first: u32, batch: u32, head: u32, row: u32 }

struct Params {
  queries: u32, keys: u32, dim: u32, value_dim: u32,
  q: Place,
  k: Place,
  v: Place,
  y: Place,
  bias: Place,
  lse: Place,
  // The null key and its value (no rows), and the mask (no heads, no rows).
  null_key: u32, null_key_head: u32, null_value: u32, null_value_head: u32,
  mask: u32, mask_batch: u32,
  heads: u32,
  scale: f32,
  has_null: u32, has_bias: u32, has_mask: u32,
  // The keys before this piece have left their state in y and lse; this dispatch writes lse.
  resume: u32, store_lse: u32,
  // Query i sees the first visible + i step keys of this piece, and the null key where null_visible + i step > 0.
  visible: i32, null_visible: i32, step: i32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(1) @binding(0) var<storage, read> q: array<f32>;
@group(1) @binding(1) var<storage, read> k: array<f32>;
@group(1) @binding(2) var<storage, read> v: array<f32>;
@group(1) @binding(3) var<storage, read> nulls: array<f32>;
@group(1) @binding(4) var<storage, read> bias: array<u32>;
@group(1) @binding(5) var<storage, read> mask: array<u32>;
@group(1) @binding(6) var<storage, read_write> y: array<f32>;
@group(1) @binding(7) var<storage, read_write> lse: array<u32>;

/// The logit of a key that is not seen, and of one that is NaN; those that count stay between the limits.
const HIDDEN = -3.4028234e38;
const POISON = 3.4028234e38;
const LIMIT = 3e38;

/// First elements of an item of the batch and a head.
struct Item { q: u32, k: u32, v: u32, y: u32, bias: u32, lse: u32, mask: u32, null_key: u32, null_value: u32 }

fn item_at(index: u32) -> Item {
  let b = index / p.heads;
  let h = index % p.heads;
  return Item(
    begin_of(p.q, b, h), begin_of(p.k, b, h), begin_of(p.v, b, h), begin_of(p.y, b, h),
    begin_of(p.bias, b, h), begin_of(p.lse, b, h), p.mask + b * p.mask_batch,
    p.null_key + h * p.null_key_head, p.null_value + h * p.null_value_head,
  );
}

fn begin_of(place: Place, b: u32, h: u32) -> u32 {
  return place.first + b * place.batch + h * place.head;
}

/// How many of the keys of this piece a query sees at most.
fn visible_keys(query: u32) -> u32 {
  return u32(clamp(p.visible + i32(query) * p.step, 0, i32(p.keys)));
}

fn is_masked(at: Item, key: u32) -> bool {
  if (p.has_mask == 0u) { return false; }
  let byte = at.mask + key;
  return extractBits(mask[byte / 4u], (byte % 4u) * 8u, 8u) == 0u;
}

/// The logit of a key that the query may see, from their product; `bias_at` is that of its bias.
fn logit_of(product: f32, bias_at: u32) -> f32 {
  var logit = p.scale * product;
  if (p.has_bias != 0u) {
    let bits = bias[bias_at];
    if (bits == (SIGN | INFINITY)) { return HIDDEN; }
    logit += bitcast<f32>(bits);
  }
  if (is_nan(bitcast<u32>(logit))) { return POISON; }
  return clamp(logit, -LIMIT, LIMIT);
}

/// The logit of key `key` of this piece.
fn key_logit(at: Item, query: u32, key: u32, product: f32) -> f32 {
  if (key >= visible_keys(query) || is_masked(at, key)) { return HIDDEN; }
  return logit_of(product, at.bias + query * p.bias.row + key);
}

/// The share of keys relative to the largest logit.
fn weights(logits: vec4f, largest: vec4f) -> vec4f {
  let d = logits - largest;
  let e = vec4f(exp_finite(d.x), exp_finite(d.y), exp_finite(d.z), exp_finite(d.w));
  return select(e, vec4f(), logits < vec4f(-LIMIT));
}

/// What a query has seen before this piece: the largest logit; HIDDEN where that is nothing. The sum of exponentials
/// relative to it is 1 where it is something.
fn logit_before(at: Item, query: u32) -> f32 {
  if (p.resume != 0u) {
    let bits = lse[at.lse + query * p.lse.row];
    if (is_nan(bits)) { return POISON; }
    if (!is_finite(bits)) { return HIDDEN; }
    return bitcast<f32>(bits);
  }
  if (p.has_null == 0u || p.null_visible + i32(query) * p.step <= 0) { return HIDDEN; }
  var product = 0.0;
  for (var c = 0u; c < p.dim; c++) { product += q[at.q + query * p.q.row + c] * nulls[at.null_key + c]; }
  return logit_of(product, at.bias + query * p.bias.row - 1u);
}

fn sum_before(logit: f32) -> f32 {
  return select(1.0, 0.0, logit < -LIMIT);
}

/// Its result so far.
fn value_before(at: Item, query: u32, col: u32, logit: f32) -> f32 {
  if (logit < -LIMIT) { return 0.0; }
  if (p.resume != 0u) { return y[at.y + query * p.y.row + col]; }
  return nulls[at.null_value + col];
}

/// A result from the weighted sum of values; NaN by its bits.
fn result_of(value: f32, sum: f32, largest: f32) -> f32 {
  var nan = NAN;
  if (largest > LIMIT) { return bitcast<f32>(nan); }
  return select(0.0, value / sum, sum > 0.0);
}

fn write_lse(at: Item, query: u32, sum: f32, largest: f32) {
  var bits = SIGN | INFINITY;
  if (largest > LIMIT) {
    bits = NAN;
  } else if (sum > 0.0) {
    bits = bitcast<u32>(largest + bitcast<f32>(logarithm(bitcast<u32>(sum))));
  }
  lse[at.lse + query * p.lse.row] = bits;
}
