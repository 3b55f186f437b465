// softmax(scale q k^T + bias) v for every head, without a matrix of queries x keys. Keys and values
// are packed once for all queries that see them; each task takes a few panels of queries of one head
// through all blocks of keys, which stay in its L2 meanwhile. Memory grows with the lengths alone.
#include "attention.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "drivers.hpp"
#include "gemm_blocked.hpp"

namespace f2i::cpu {
namespace {

constexpr int64_t block_bytes = int64_t{16} << 20; // of keys and values at a time, about
constexpr int64_t most_panels = 4;                  // of queries in a task

template <class T> const AttentionKernels<T> &attention_kernels(f2i_isa isa);
template <> const AttentionKernels<float> &attention_kernels(f2i_isa isa) { return F2I_SELECT(attention_f32, isa); }
template <> const AttentionKernels<double> &attention_kernels(f2i_isa isa) { return F2I_SELECT(attention_f64, isa); }

/// Rows of one head: row i at data + i step.
template <class T> struct Rows {
  T *data;
  int64_t step;
  T *at(int64_t i) const { return data + i * step; }
};

template <class T> class AttentionRun {
public:
  AttentionRun(Exec &ex, const Attention &op)
      : ex_(ex), op_(op), kernels_(attention_kernels<T>(ex.isa())), transpose_(gemm_kernel<T>(ex.isa()).transpose),
        heads_(op.heads), queries_(op.q.rows / (op.batch * op.heads)), dim_(op.q.cols), value_dim_(op.v.cols),
        owners_(op.batch * (op.shared ? 1 : op.heads)), nulls_(op.null_key ? 1 : 0),
        keys_(op.k.rows / (op.repeated ? op.batch : owners_) + nulls_) {
    const int64_t parts = ceil_div(std::max<int64_t>(value_dim_, 1), kernels_.most_value_rows);
    value_rows_ = ceil_div(std::max<int64_t>(value_dim_, 1), parts);
    padded_values_ = value_rows_ * parts;
    padded_keys_ = round_up(keys_, kernels_.key_rows);
  }

  f2i_status operator()() {
    const int64_t owner_size = padded_keys_ * dim_ + keys_ * padded_values_;
    const int64_t bytes = std::max<int64_t>(1, owner_size * static_cast<int64_t>(sizeof(T)));
    const int64_t at_once = std::clamp<int64_t>(block_bytes / bytes, 1, owners_);
    packed_ = ex_.scratch_of<T>(std::max<int64_t>(1, at_once * owner_size));
    const int64_t width = kernels_.width;
    const int64_t panels = ceil_div(queries_, width), sharing = op_.shared ? heads_ : 1;
    const int64_t wanted = 4 * ex_.pool().threads();
    const int64_t together =
        std::clamp<int64_t>(panels * sharing * at_once / wanted, 1, std::min(most_panels, panels));
    const int64_t groups = ceil_div(panels, together);
    panel_size_ = (dim_ + value_dim_ + 2) * width;
    worker_size_ = round_up(2 * kernels_.block * width + together * panel_size_ + std::max(dim_, value_dim_) * width, 16);
    T *scratch = ex_.scratch_of<T>(worker_size_ * ex_.pool().threads());
    if (!packed_ || !scratch) return ex_.fail(F2I_OUT_OF_MEMORY, "no room for the packed keys and values");

    const int64_t blocks = ceil_div(keys_, kernels_.block);
    for (int64_t first = 0; first < owners_; first += at_once) {
      const int64_t count = std::min(at_once, owners_ - first);
      const bool serial = count * sharing * queries_ * keys_ * (dim_ + value_dim_) < serial_work / 8;
      for_tasks(ex_, count * blocks, serial, [&](int64_t task, int worker) {
        if (ex_.cancelled()) return;
        const int64_t index = task / blocks;
        pack(first + index, packed_ + index * owner_size, task % blocks * kernels_.block, scratch + worker * worker_size_);
      });
      for_tasks(ex_, count * sharing * groups, serial, [&](int64_t task, int worker) {
        const int64_t group = task % groups, head = task / groups; // heads of one owner follow each other
        const int64_t owner = first + head / sharing;
        const int64_t b = op_.shared ? owner : owner / heads_, h = op_.shared ? head % sharing : owner % heads_;
        attend(b, h, group * together * width, std::min(queries_, (group + 1) * together * width),
               packed_ + head / sharing * owner_size, scratch + worker * worker_size_);
      });
      if (ex_.cancelled()) return F2I_CANCELLED;
    }
    return F2I_OK;
  }

private:
  /// Head h of picture b in a matrix of `count` rows a head.
  Rows<T> head(const View &view, int64_t b, int64_t h, int64_t count) const {
    T *data = view.as<T>();
    if (op_.layout == F2I_HEADS_FIRST) return {data + (b * heads_ + h) * count * view.ld, view.ld};
    return {data + (b * count * heads_ + h) * view.ld, heads_ * view.ld};
  }

  /// Row j of all keys (values) of an owner, a null key first.
  const T *row(const View &view, const View &null, int64_t owner, int64_t j) const {
    if (j < nulls_) return null.as<T>() + (null.rows > 1 ? owner % heads_ : 0) * null.ld;
    const int64_t count = keys_ - nulls_, i = j - nulls_;
    if (op_.shared) return view.as<T>() + (owner * count + i) * view.ld;
    if (op_.repeated) return view.as<T>() + (owner / heads_ * count + i) * view.ld;
    return head(view, owner / heads_, owner % heads_, count).at(i);
  }

  bool masked(int64_t b, int64_t j) const {
    return op_.mask && j >= nulls_ && op_.mask.template as<uint8_t>()[b * op_.mask.ld + j - nulls_] == 0;
  }

  /// 1, or 1 over the norm of a row.
  double unit(const T *x) const {
    if (!op_.cosine) return 1;
    double sum = 0;
    for (int64_t i = 0; i < dim_; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    return 1 / std::max(std::sqrt(sum), 1e-12);
  }

  /// Packs a block of keys and their values from key j0 on. What the mask hides becomes zero, so that
  /// nothing of it, not even a NaN, reaches a sum.
  void pack(int64_t owner, T *packed, int64_t j0, T *rows) const {
    const int64_t b = op_.shared ? owner : owner / heads_, end = std::min(keys_, j0 + kernels_.block);
    for (int64_t j = j0; j < end; j += kernels_.key_rows) {
      const int64_t count = std::min(kernels_.key_rows, end - j);
      for (int64_t r = 0; r < count; ++r) {
        if (masked(b, j + r)) {
          std::fill_n(rows + r * dim_, dim_, T(0));
        } else {
          const T *key = row(op_.k, op_.null_key, owner, j + r);
          kernels_.scale(dim_, static_cast<T>(unit(key)), key, rows + r * dim_);
        }
      }
      transpose_(count, dim_, rows, dim_, packed + j * dim_, kernels_.key_rows);
    }
    T *values = packed + padded_keys_ * dim_ + j0 * padded_values_;
    const int64_t keys = end - j0;
    for (int64_t j = 0; j < keys; ++j) {
      const T *from = masked(b, j0 + j) ? nullptr : row(op_.v, op_.null_value, owner, j0 + j);
      for (int64_t c = 0; c < value_dim_; c += value_rows_) {
        T *to = values + c * keys + j * value_rows_;
        const int64_t count = std::min(value_rows_, value_dim_ - c);
        if (from) std::copy_n(from + c, count, to);
        else std::fill_n(to, count, T(0));
      }
    }
  }

  /// Queries [i0, i1) of a head.
  void attend(int64_t b, int64_t h, int64_t i0, int64_t i1, const T *packed, T *scratch) const {
    const int64_t width = kernels_.width;
    T *scores = scratch, *bias = scores + kernels_.block * width, *panels = bias + kernels_.block * width;
    const int64_t count = ceil_div(i1 - i0, width);
    T *rows = panels + count * panel_size_;
    const Rows<T> q = head(op_.q, b, h, queries_);
    std::fill_n(bias, kernels_.block * width, T(0)); // lanes without a query
    for (int64_t panel = 0; panel < count; ++panel) {
      T *at = panels + panel * panel_size_;
      const int64_t i = i0 + panel * width, lanes = std::min(width, i1 - i);
      for (int64_t r = 0; r < lanes; ++r) {
        kernels_.scale(dim_, static_cast<T>(op_.scale * unit(q.at(i + r))), q.at(i + r), rows + r * dim_);
      }
      std::fill_n(rows + lanes * dim_, (width - lanes) * dim_, T(0));
      transpose_(width, dim_, rows, dim_, at, width);
      at += dim_ * width;
      std::fill_n(at, width, -std::numeric_limits<T>::infinity());
      std::fill_n(at + width, (1 + value_dim_) * width, T(0));
    }

    AttentionMeeting<T> meeting{};
    meeting.dim = dim_;
    meeting.value_dim = value_dim_;
    meeting.value_rows = value_rows_;
    meeting.scores = scores;
    uint8_t seen[512];
    for (int64_t j = 0; j < keys_; j += kernels_.block) {
      if (ex_.cancelled()) return;
      meeting.keys = std::min(kernels_.block, keys_ - j);
      meeting.key_panels = packed + j * dim_;
      meeting.value_panels = packed + padded_keys_ * dim_ + j * padded_values_;
      meeting.visible = nullptr;
      if (op_.mask) {
        for (int64_t r = 0; r < meeting.keys; ++r) seen[r] = !masked(b, j + r);
        meeting.visible = seen;
      }
      for (int64_t panel = 0; panel < count; ++panel) {
        const int64_t i = i0 + panel * width, lanes = std::min(width, i1 - i);
        meeting.first_hidden = op_.causal ? i + 1 + keys_ - queries_ - j : meeting.keys;
        if (meeting.first_hidden + lanes <= 1) continue; // none of the queries sees one of these keys
        T *at = panels + panel * panel_size_;
        meeting.queries = at;
        meeting.maximum = at + dim_ * width;
        meeting.sum = meeting.maximum + width;
        meeting.out = meeting.sum + width;
        meeting.bias = nullptr;
        if (op_.bias) {
          const int64_t plane = (op_.bias_batch ? b : 0) * (op_.bias_heads ? heads_ : 1) + (op_.bias_heads ? h : 0);
          const T *from = op_.bias.template as<T>() + (plane * queries_ + i) * op_.bias.ld + j;
          transpose_(lanes, meeting.keys, from, op_.bias.ld, bias, width);
          meeting.bias = bias;
        }
        kernels_.meet(meeting);
      }
    }

    const Rows<T> y = head(op_.y, b, h, queries_);
    for (int64_t panel = 0; panel < count; ++panel) {
      const int64_t i = i0 + panel * width, lanes = std::min(width, i1 - i);
      const T *maximum = panels + panel * panel_size_ + dim_ * width, *sum = maximum + width, *out = sum + width;
      transpose_(value_dim_, width, out, width, rows, value_dim_);
      for (int64_t r = 0; r < lanes; ++r) {
        kernels_.scale(value_dim_, sum[r] == 0 ? T(0) : 1 / sum[r], rows + r * value_dim_, y.at(i + r));
        if (op_.lse) {
          op_.lse.template as<T>()[(b * heads_ + h) * op_.lse.ld + i + r] =
              static_cast<T>(static_cast<double>(maximum[r]) + std::log(static_cast<double>(sum[r])));
        }
      }
    }
  }

  Exec &ex_;
  const Attention &op_;
  const AttentionKernels<T> &kernels_;
  const decltype(GemmKernel<T>::transpose) transpose_;
  const int64_t heads_, queries_, dim_, value_dim_, owners_, nulls_, keys_;
  int64_t value_rows_ = 0, padded_values_ = 0, padded_keys_ = 0, panel_size_ = 0, worker_size_ = 0;
  T *packed_ = nullptr;
};

} // namespace

f2i_status attention(Exec &ex, const Attention &op) {
  return op.y.dtype == F2I_F64 ? AttentionRun<double>(ex, op)() : AttentionRun<float>(ex, op)();
}

} // namespace f2i::cpu
