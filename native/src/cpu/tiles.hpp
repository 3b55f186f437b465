// How the memory-bound ops cut a matrix into tiles for the pool.
#pragma once

#include <algorithm>
#include <atomic>

#include "runtime/exec.hpp"

namespace f2i::cpu {

/// Runs f(task, worker) for every task until the op is cancelled. A single one runs on the calling
/// thread.
template <class F> f2i_status for_tasks(Exec &ex, int64_t tasks, F &&f) {
  std::atomic<bool> stopped{false};
  auto body = [&](int64_t task, int worker) {
    if (stopped.load(std::memory_order_relaxed)) return;
    if (ex.cancelled()) return stopped.store(true, std::memory_order_relaxed);
    f(task, worker);
  };
  if (tasks == 1) body(0, 0);
  else if (tasks > 1) ex.pool().parallel_for(tasks, body);
  return stopped ? F2I_CANCELLED : F2I_OK;
}

/// Runs f(first_row, end_row, first_col, end_col) over tiles that cover rows x cols. A tile is about
/// 32 Ki elements: long enough to hide the pool's latency, short enough to poll cancellation often.
/// Small matrices run on the calling thread.
template <class F> f2i_status for_tiles(Exec &ex, int64_t rows, int64_t cols, F &&f) {
  constexpr int64_t tile = 1 << 15;
  if (rows <= 0 || cols <= 0) return F2I_OK;
  const int64_t width = std::min(cols, tile);
  const int64_t height = std::clamp<int64_t>(tile / width, 1, rows);
  const int64_t across = (cols + width - 1) / width, down = (rows + height - 1) / height;
  return for_tasks(ex, across * down, [&](int64_t task, int) {
    const int64_t r = task / across * height, c = task % across * width;
    f(r, std::min(rows, r + height), c, std::min(cols, c + width));
  });
}

/// Runs f(row) for every row, a few in a task: `width` is the work of one, in elements.
template <class F> f2i_status for_rows(Exec &ex, int64_t rows, int64_t width, F &&f) {
  const int64_t height = std::max<int64_t>(1, (1 << 15) / std::max<int64_t>(1, width));
  return for_tasks(ex, (rows + height - 1) / height, [&](int64_t task, int) {
    for (int64_t i = task * height, end = std::min(rows, i + height); i < end; ++i) f(i);
  });
}

/// True where the rows of v follow each other without a gap, so that it may be taken as one row.
inline bool contiguous(const View &v) { return v.ld == v.cols || v.rows <= 1; }

/// Bytes of one element.
constexpr int64_t element_size(f2i_dtype dtype) {
  switch (dtype) {
  case F2I_F64: return 8;
  case F2I_F16:
  case F2I_BF16: return 2;
  case F2I_U8: return 1;
  default: return 4;
  }
}

} // namespace f2i::cpu
