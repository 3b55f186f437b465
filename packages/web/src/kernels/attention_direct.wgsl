// Without workgroup memory, for devices in software: an invocation serves a query and takes four keys at a time. Its
// row of y holds the weighted sum of values until the end.

@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let query = id.x;
  if (query >= p.queries) { return; }
  let at = item_at(id.y);
  let row = at.y + query * p.y.row;
  var largest = logit_before(at, query);
  var sum = sum_before(largest);
  for (var c = 0u; c < p.value_dim; c++) { y[row + c] = value_before(at, query, c, largest); }

  let seen = visible_keys(query);
  for (var key = 0u; key < seen; key += 4u) {
    // Keys beyond the last are read as the last one, and hidden.
    let keys = vec4u(key, key + 1u, key + 2u, key + 3u);
    let near = min(keys, vec4u(p.keys - 1u));
    let products = products_of(at.q + query * p.q.row, at.k + near * p.k.row);
    let logits = vec4f(
      key_logit(at, query, keys.x, products.x), key_logit(at, query, keys.y, products.y),
      key_logit(at, query, keys.z, products.z), key_logit(at, query, keys.w, products.w),
    );
    let before = largest;
    largest = max(before, max(max(logits.x, logits.y), max(logits.z, logits.w)));
    let shrink = weights(vec4f(before), vec4f(largest)).x;
    let shares = weights(logits, vec4f(largest));
    sum = sum * shrink + shares.x + shares.y + shares.z + shares.w;
    let row_v = at.v + near * p.v.row;
    for (var c = 0u; c < p.value_dim; c++) {
      let values = vec4f(v[row_v.x + c], v[row_v.y + c], v[row_v.z + c], v[row_v.w + c]);
      // What is not seen may be NaN.
      let terms = select(vec4f(), shares * values, shares > vec4f());
      y[row + c] = y[row + c] * shrink + (terms.x + terms.y + terms.z + terms.w);
    }
  }
  for (var c = 0u; c < p.value_dim; c++) { y[row + c] = result_of(y[row + c], sum, largest); }
  if (p.store_lse != 0u) { write_lse(at, query, sum, largest); }
}

/// Products of a query with four keys.
fn products_of(from_q: u32, from_k: vec4u) -> vec4f {
  var sums = vec4f();
  for (var c = 0u; c < p.dim; c++) {
    sums += q[from_q + c] * vec4f(k[from_k.x + c], k[from_k.y + c], k[from_k.z + c], k[from_k.w + c]);
  }
  return sums;
}
