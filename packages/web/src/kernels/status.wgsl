// The failure slot of an op: zero when it began; the first failure stays.

struct Status {
  code: u32,
  where_: u32,
  value: u32,
  // What the host may want to know while the op is still running.
  progress: u32,
}
@group(0) @binding(1) var<storage, read_write> status: Status;

fn report(code: u32, where_: u32, value: u32) {
  if (status.code == 0u) {
    status.code = code;
    status.where_ = where_;
    status.value = value;
  }
}
