// By tiles in workgroup memory: a workgroup of 16 x 8 serves 64 queries and takes 32 keys at a time. An invocation
// computes 4 x 4 logits, and of the result four rows by eight columns in each chunk of 64. As Dao et al. 2022
// (FlashAttention, arXiv 2205.14135), neither logits nor weights leave the workgroup.

/// Chunks of 64 columns of the result.
override CHUNKS: u32;

const ROWS = 64u;
const KEYS = 32u;
const DEPTH = 16u;
/// In quads: a piece of q (step by step, quads of rows) and of k (quads of keys) behind it; or values, key by key.
var<workgroup> tile: array<vec4f, 512>;
const TILE_K = 256u;
/// Logits and then weights, key by key, quads of rows.
var<workgroup> shares: array<vec4f, 512>;

@compute @workgroup_size(128)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) group: vec3u) {
  let at = item_at(group.y);
  let row0 = group.x * ROWS;
  let across = t % 8u;
  let down = t / 8u;
  // Queries beyond the last are read as the last one, and never stored.
  let queries = min(row0 + down * 4u + vec4u(0u, 1u, 2u, 3u), vec4u(p.queries - 1u));

  var largest = vec4f(
    logit_before(at, queries.x), logit_before(at, queries.y),
    logit_before(at, queries.z), logit_before(at, queries.w),
  );
  var sum: vec4f;
  var values: array<vec4f, 16>;
  for (var r = 0u; r < 4u; r++) {
    sum[r] = sum_before(largest[r]);
    for (var i = 0u; i < 2u * CHUNKS; i++) {
      for (var j = 0u; j < 4u; j++) {
        let col = min((i * 8u + across) * 4u + j, p.value_dim - 1u);
        values[i * 4u + r][j] = value_before(at, queries[r], col, largest[r]);
      }
    }
  }

  let seen = visible_keys(min(row0 + ROWS, p.queries) - 1u);
  for (var key0 = 0u; key0 < seen; key0 += KEYS) {
    var products = array<vec4f, 4>();
    for (var c = 0u; c < p.dim; c += DEPTH) {
      load_tile(at, t, row0, key0, c);
      workgroupBarrier();
      for (var step = 0u; step < DEPTH; step++) {
        let rows = tile[step * 16u + down];
        let keys = tile[TILE_K + step * 8u + across];
        products[0] += keys.x * rows;
        products[1] += keys.y * rows;
        products[2] += keys.z * rows;
        products[3] += keys.w * rows;
      }
      workgroupBarrier();
    }
    for (var i = 0u; i < 4u; i++) {
      let key = across * 4u + i;
      for (var r = 0u; r < 4u; r++) {
        products[i][r] = key_logit(at, queries[r], key0 + key, products[i][r]);
      }
      shares[key * 16u + down] = products[i];
    }
    workgroupBarrier();
    let before = largest;
    for (var key = 0u; key < KEYS; key++) { largest = max(largest, shares[key * 16u + down]); }
    workgroupBarrier();
    let shrink = weights(before, largest);
    sum *= shrink;
    for (var i = 0u; i < 8u * CHUNKS; i++) { values[i] *= shrink[i % 4u]; }
    for (var i = 0u; i < 4u; i++) {
      shares[(across * 4u + i) * 16u + down] = weights(products[i], largest);
    }
    for (var chunk = 0u; chunk < CHUNKS; chunk++) {
      load_values(at, t, key0, chunk * 64u);
      workgroupBarrier();
      for (var key = 0u; key < KEYS; key++) {
        let share = shares[key * 16u + down];
        if (chunk == 0u) { sum += share; }
        for (var half = 0u; half < 2u; half++) {
          let columns = tile[key * 16u + half * 8u + across];
          let first = (chunk * 2u + half) * 4u;
          values[first] += share.x * columns;
          values[first + 1u] += share.y * columns;
          values[first + 2u] += share.z * columns;
          values[first + 3u] += share.w * columns;
        }
      }
      workgroupBarrier();
    }
  }

  // All invocations have read what other keys left before one of them replaces it.
  storageBarrier();
  for (var r = 0u; r < 4u; r++) {
    let query = row0 + down * 4u + r;
    if (query >= p.queries) { break; }
    for (var i = 0u; i < 2u * CHUNKS; i++) {
      for (var j = 0u; j < 4u; j++) {
        let col = (i * 8u + across) * 4u + j;
        if (col >= p.value_dim) { break; }
        y[at.y + query * p.y.row + col] = result_of(values[i * 4u + r][j], sum[r], largest[r]);
      }
    }
    if (across == 0u && p.store_lse != 0u) { write_lse(at, query, sum[r], largest[r]); }
  }
}

/// Sixteen columns, from c, of 64 queries and 32 keys.
fn load_tile(at: Item, t: u32, row0: u32, key0: u32, c: u32) {
  let step = t % DEPTH;
  let inside = c + step < p.dim;
  for (var quad = t / DEPTH; quad < 16u; quad += 8u) {
    let rows = min(row0 + quad * 4u + vec4u(0u, 1u, 2u, 3u), vec4u(p.queries - 1u));
    let i = at.q + rows * p.q.row + c + step;
    tile[step * 16u + quad] = select(vec4f(), vec4f(q[i.x], q[i.y], q[i.z], q[i.w]), inside);
  }
  let quad = t / DEPTH;
  let keys = min(key0 + quad * 4u + vec4u(0u, 1u, 2u, 3u), vec4u(p.keys - 1u));
  let i = at.k + keys * p.k.row + c + step;
  tile[TILE_K + step * 8u + quad] = select(vec4f(), vec4f(k[i.x], k[i.y], k[i.z], k[i.w]), inside);
}

/// 64 columns, from c, of 32 values; zeros for keys that nobody sees, whose values may be NaN.
fn load_values(at: Item, t: u32, key0: u32, c: u32) {
  let quad = t % 16u;
  let col = c + quad * 4u;
  for (var key = t / 16u; key < KEYS; key += 8u) {
    let shown = key0 + key < p.keys && !is_masked(at, key0 + key);
    let i = at.v + (key0 + key) * p.v.row + col;
    tile[key * 16u + quad] = select(vec4f(), vec4f(v[i], v[i + 1u], v[i + 2u], v[i + 3u]), shown);
  }
}
