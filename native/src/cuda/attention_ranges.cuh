// Few queries leave most of the device idle: their keys are then split into ranges of blocks of their own, whose results
// are joined (Dao et al. 2023, "Flash-Decoding").
#pragma once

#include <algorithm>

#include "cuda/attention.cuh"

namespace f2i::cuda::attend {

/// Enqueues what makes y and lse of those of ranges, in their order (attention.cu).
template <class T> f2i_status join_ranges(Exec &ex, const Problem<T> &p, int64_t ranges);

/// What a block has, and how many run on a processor at once.
struct Blocks {
  int queries, columns; // of y
  int whole;            // ranges of keys are multiples of it
  int at_once = 2;
};

/// Ranges of keys, the kernel by `go(grid, problem)`, and their joining.
template <class T, class Go> f2i_status in_ranges(Exec &ex, Problem<T> p, Blocks of, Go &&go) {
  const int64_t rows = p.batch * p.heads * p.n, all = p.m + (p.null_rows > 0 ? 1 : 0);
  const int64_t blocks = ceil_div(p.n, of.queries) * p.batch * p.heads, parts = ceil_div(p.e, of.columns);
  if (blocks > INT32_MAX || parts > 65535) return ex.fail(F2I_UNSUPPORTED, "more blocks than a grid has");
  constexpr int64_t shortest = 256; // keys of a range
  const int64_t wanted = of.at_once * device_of(ex).processors() / (blocks * parts), most = all / shortest;
  int64_t ranges = std::clamp<int64_t>(std::min(wanted, most), 1, 64);
  p.range = ceil_div(ceil_div(all, ranges), of.whole) * of.whole;
  ranges = std::max<int64_t>(ceil_div(all, p.range > 0 ? p.range : 1), 1); // no empty one
  if (ranges > 1) {
    p.parts = ex.scratch_of<T>(ranges * rows * p.e);
    p.lses = ex.scratch_of<T>(ranges * rows);
    // No other way without the room: results would depend on the ceiling.
    if (p.parts == nullptr || p.lses == nullptr) return ex.fail(F2I_OUT_OF_MEMORY, "no room for ranges of keys");
  }
  F2I_TRY(go(dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(ranges), static_cast<unsigned>(parts)), p));
  return ranges == 1 ? F2I_OK : join_ranges(ex, p, ranges);
}

} // namespace f2i::cuda::attend
