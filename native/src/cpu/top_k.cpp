// The k best entries of each row, in linear time for any order of the entries:
//  - few of many: the row is scanned for entries better than the k-th best so far (top_k.inc); those are
//    inserted into a short list or, for larger k, collected and cut back to k by selection whenever
//    there are 2k of them;
//  - most of a row: radix sort of all entries.
// (key, index) orders all entries strictly, so that neither ties nor the cutting of a long row among
// threads can change the result.
#include "top_k.hpp"

#include <algorithm>
#include <limits>

#include "drivers.hpp"
#include "select.hpp"

namespace f2i::cpu {
namespace {

/// A candidate of f32: key and index in one integer, so that one comparison orders them.
struct Packed {
  uint64_t code;
  Packed() = default;
  Packed(int32_t key, int32_t index)
      : code(static_cast<uint64_t>(static_cast<uint32_t>(key) ^ 0x80000000u) << 32 |
             (0xffffffffu - static_cast<uint32_t>(index))) {}
  int32_t key() const { return static_cast<int32_t>(static_cast<uint32_t>(code >> 32) ^ 0x80000000u); }
  /// Digit d of the key in radix 256; larger is better.
  uint8_t digit(int d) const { return static_cast<uint8_t>(code >> (32 + 8 * d)); }
  int32_t index() const { return static_cast<int32_t>(0xffffffffu - static_cast<uint32_t>(code)); }
  bool operator<(const Packed &other) const { return code > other.code; } // better comes first
};

/// A candidate of f64.
struct Wide {
  int64_t order;
  int32_t place;
  Wide() = default;
  Wide(int64_t key, int32_t index) : order(key), place(index) {}
  int64_t key() const { return order; }
  uint8_t digit(int d) const {
    return static_cast<uint8_t>((static_cast<uint64_t>(order) ^ 0x8000000000000000u) >> (8 * d));
  }
  int32_t index() const { return place; }
  bool operator<(const Wide &other) const {
    return order != other.order ? order > other.order : place < other.place;
  }
};

template <class T, class Int, class Entry> struct TopKRun {
  Exec &ex;
  const TopK &op;
  void (*keys)(const T *, int64_t, T, Int *);
  int64_t (*find)(const T *, int64_t, int64_t, T, Int);

  T sign() const { return op.smallest ? T(-1) : T(1); }
  static constexpr int64_t short_list = 16;
  static int64_t collect(int64_t k) { return std::max<int64_t>(2 * k, top_k_run); }
  static bool sorts_all(int64_t k, int64_t cols) { return 2 * k > cols; }
  /// Room for the candidates of `cols` entries.
  static int64_t capacity(int64_t k, int64_t cols) {
    return sorts_all(k, cols) ? 2 * cols : std::min(cols, collect(k) + top_k_run);
  }

  /// Puts the min(k, end - first) best of x[first, end) in front of `entries`; returns their number.
  int64_t scan(const T *x, int64_t first, int64_t end, int64_t k, Entry *entries) const {
    return k <= short_list ? insert(x, first, end, k, entries) : cut_back(x, first, end, k, entries);
  }

  /// The best so far lie sorted; a better entry moves into its place.
  int64_t insert(const T *x, int64_t first, int64_t end, int64_t k, Entry *entries) const {
    Int run_keys[top_k_run];
    int64_t count = 0;
    for (int64_t i = first; i < end; i += top_k_run) {
      if (count == k) {
        i = find(x, i, end, sign(), entries[k - 1].key());
        if (i >= end) break;
      }
      const int64_t run = std::min(top_k_run, end - i);
      keys(x + i, run, sign(), run_keys);
      for (int64_t j = 0; j < run; ++j) {
        if (count == k && run_keys[j] <= entries[k - 1].key()) continue;
        const Entry entry(run_keys[j], static_cast<int32_t>(i + j));
        int64_t place = count < k ? count++ : k - 1;
        for (; place > 0 && entry < entries[place - 1]; --place) entries[place] = entries[place - 1];
        entries[place] = entry;
      }
    }
    return count;
  }

  int64_t cut_back(const T *x, int64_t first, int64_t end, int64_t k, Entry *entries) const {
    const int64_t limit = collect(k);
    Int run_keys[top_k_run];
    int64_t count = 0;
    Int bound = std::numeric_limits<Int>::min();
    bool bounded = false; // bound is the key of the k-th best so far
    for (int64_t i = first; i < end;) {
      if (bounded) {
        i = find(x, i, end, sign(), bound);
        if (i >= end) break;
      }
      const int64_t run = std::min(top_k_run, end - i);
      keys(x + i, run, sign(), run_keys);
      for (int64_t j = 0; j < run; ++j)
        if (!bounded || run_keys[j] > bound) entries[count++] = Entry(run_keys[j], static_cast<int32_t>(i + j));
      i += run;
      if (count >= limit && i < end) {
        std::nth_element(entries, entries + k - 1, entries + count);
        count = k;
        bound = entries[k - 1].key();
        bounded = true;
      }
    }
    return keep(entries, count, k);
  }

  /// Radix sort, eight bits at a time from the lowest: it keeps the order of equal keys, that of their
  /// indices. The second half of `entries` is its workspace.
  int64_t sort_all(const T *x, int64_t n, int64_t k, Entry *entries) const {
    constexpr int digits = sizeof(Int);
    uint32_t counts[digits][256] = {};
    Int run_keys[top_k_run];
    for (int64_t i = 0; i < n; i += top_k_run) {
      const int64_t run = std::min(top_k_run, n - i);
      keys(x + i, run, sign(), run_keys);
      for (int64_t j = 0; j < run; ++j) {
        const Entry entry(run_keys[j], static_cast<int32_t>(i + j));
        entries[i + j] = entry;
        for (int d = 0; d < digits; ++d) ++counts[d][entry.digit(d)];
      }
    }
    Entry *from = entries, *to = entries + n;
    for (int d = 0; d < digits; ++d) {
      uint32_t *count = counts[d];
      if (count[from[0].digit(d)] == static_cast<uint64_t>(n)) continue; // all the same
      uint32_t begin = 0;
      for (int value = 255; value >= 0; --value) { // larger is better
        const uint32_t next = begin + count[value];
        count[value] = begin;
        begin = next;
      }
      for (int64_t i = 0; i < n; ++i) to[count[from[i].digit(d)]++] = from[i];
      std::swap(from, to);
    }
    if (from != entries) std::copy(from, from + k, entries);
    return k;
  }

  static int64_t keep(Entry *entries, int64_t count, int64_t k) {
    if (count <= k) return count;
    std::nth_element(entries, entries + k - 1, entries + count);
    return k;
  }

  void finish(int64_t row, Entry *entries, int64_t k) const {
    if (!std::is_sorted(entries, entries + k)) std::sort(entries, entries + k);
    const T *x = op.x.as<T>() + row * op.x.ld;
    T *values = op.values.as<T>() + row * op.values.ld;
    int32_t *indices = op.indices.as<int32_t>() + row * op.indices.ld;
    for (int64_t i = 0; i < k; ++i) {
      indices[i] = entries[i].index();
      values[i] = x[entries[i].index()];
    }
  }

  f2i_status no_room() const {
    return ex.fail(F2I_OUT_OF_MEMORY, "no room for the candidates of %lld columns, k = %lld",
                   static_cast<long long>(op.x.cols), static_cast<long long>(op.values.cols));
  }

  /// A thread takes whole rows.
  f2i_status by_rows() const {
    const int64_t k = op.values.cols, room = capacity(k, op.x.cols);
    const int64_t group = std::clamp<int64_t>((1 << 15) / op.x.cols, 1, op.x.rows);
    const int64_t tasks = (op.x.rows + group - 1) / group;
    Entry *entries = ex.scratch_of<Entry>(room * ex.pool().threads());
    if (!entries) return no_room();
    const bool all = sorts_all(k, op.x.cols);
    auto task = [&](int64_t index, int worker) {
      Entry *own = entries + worker * room;
      const int64_t end = std::min(op.x.rows, (index + 1) * group);
      for (int64_t row = index * group; row < end && !ex.cancelled(); ++row) {
        const T *x = op.x.as<T>() + row * op.x.ld;
        finish(row, own, all ? sort_all(x, op.x.cols, k, own) : scan(x, 0, op.x.cols, k, own));
      }
    };
    if (tasks == 1) task(0, 0);
    else ex.pool().parallel_for(tasks, task);
    return ex.cancelled() ? F2I_CANCELLED : F2I_OK;
  }

  /// The threads share one long row after the other: each finds the best of a part.
  f2i_status by_parts(int64_t part) const {
    const int64_t k = op.values.cols, parts = (op.x.cols + part - 1) / part, room = capacity(k, part);
    Entry *entries = ex.scratch_of<Entry>(room * parts);
    int64_t *counts = ex.scratch_of<int64_t>(parts);
    if (!entries || !counts) return no_room();
    for (int64_t row = 0; row < op.x.rows; ++row) {
      const T *x = op.x.as<T>() + row * op.x.ld;
      ex.pool().parallel_for(parts, [&](int64_t index, int) {
        if (ex.cancelled()) return;
        counts[index] = scan(x, index * part, std::min(op.x.cols, (index + 1) * part), k,
                             entries + index * room);
      });
      if (ex.cancelled()) return F2I_CANCELLED;
      int64_t count = 0;
      for (int64_t i = 0; i < parts; ++i) {
        std::copy(entries + i * room, entries + i * room + counts[i], entries + count);
        count += counts[i];
      }
      finish(row, entries, keep(entries, count, k));
    }
    return F2I_OK;
  }

  f2i_status operator()() const {
    constexpr int64_t part = 1 << 16;
    if (op.x.rows == 0) return F2I_OK;
    const bool few_rows = op.x.rows < 2 * ex.pool().threads();
    if (few_rows && op.x.cols >= 2 * part && op.values.cols <= part / 4) return by_parts(part);
    return by_rows();
  }
};

} // namespace

f2i_status top_k(Exec &ex, const TopK &op) {
  const TopKKernels &kernels = F2I_SELECT(top_k, ex.isa());
  if (op.x.dtype == F2I_F64)
    return TopKRun<double, int64_t, Wide>{ex, op, kernels.keys_f64, kernels.find_f64}();
  return TopKRun<float, int32_t, Packed>{ex, op, kernels.keys_f32, kernels.find_f32}();
}

} // namespace f2i::cpu
