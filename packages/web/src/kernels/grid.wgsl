// Items covered by `linearGrid`: the first three fields of every such kernel's params.

fn item_of(id: vec3u) -> u32 {
  return p.first + id.y * p.stride + id.x;
}

fn is_outside(item: u32) -> bool {
  return item >= p.first + p.count;
}
