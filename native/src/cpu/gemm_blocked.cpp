// Five loops around the register tile. k is cut into blocks of at most kc, evenly and whatever the
// number of threads, so that every element's sum has one fixed order. A is packed once, by all
// threads, into memory that they share (L3); each task owns a rectangle of y and packs the block of
// B that belongs to it into its thread's own L2, block of k after block of k.
#include "cpu/gemm_blocked.hpp"

#include <algorithm>

namespace f2i::cpu {
namespace {

constexpr int64_t packed_bytes = int64_t{16} << 20; // of A, shared
constexpr int64_t packed_rows = 4096;               // of A, at most, at a time

template <class T> int64_t rows_at_once(const GemmKernel<T> &kernel, int64_t m) {
  return std::min(round_up(std::max<int64_t>(m, 1), kernel.mr), packed_rows / kernel.mr * kernel.mr);
}

template <class T> int64_t block_of_k(const GemmKernel<T> &kernel, int64_t k) {
  const int64_t blocks = std::max<int64_t>(1, ceil_div(k, kernel.kc));
  return std::max<int64_t>(1, std::min(kernel.kc, round_up(ceil_div(k, blocks), 4)));
}

/// How y is cut into tasks: strips of columns, each split into parts of rows. Only speed depends on
/// it, so it may depend on the number of threads.
struct Grid {
  int64_t width, strips, height, parts;
};

template <class T> Grid grid_of(const GemmKernel<T> &kernel, int64_t m, int64_t n, int threads) {
  const int64_t wanted = threads == 1 ? 1 : 4 * threads;
  const int64_t narrow = std::max<int64_t>(kernel.nr, 64);
  int64_t width = std::min(kernel.nc, round_up(n, kernel.nr));
  while (ceil_div(n, width) < wanted && width > narrow) {
    width = std::max(narrow, round_up(width / 2, kernel.nr));
  }
  const int64_t strips = ceil_div(n, width);
  width = round_up(ceil_div(n, strips), kernel.nr);
  // Many tasks where each is still long: a thread that is interrupted is then waited for briefly.
  const int64_t low = std::max<int64_t>(kernel.mc, 96), long_enough = 512;
  const int64_t parts = std::max(std::clamp<int64_t>(ceil_div(wanted, strips), 1, std::max<int64_t>(1, m / low)),
                                 threads == 1 ? 1 : std::min(ceil_div(4 * wanted, strips), m / long_enough));
  return {width, strips, round_up(ceil_div(m, parts), kernel.mr), parts};
}

} // namespace

template <class T>
bool Workspace<T>::reserve(Exec &ex, const GemmKernel<T> &kernel, int64_t m, int64_t k) {
  const int64_t step = block_of_k(kernel, k), rows = rows_at_once(kernel, m);
  const int64_t most = std::max<int64_t>(1, packed_bytes / static_cast<int64_t>(sizeof(T)) / (rows * step));
  a_size = std::max(rows * std::min(std::max<int64_t>(k, 1), most * step), kernel.thin * kernel.kc);
  b_size = round_up(std::min(kernel.kc, std::max<int64_t>(k, 1)), 4) * kernel.nc;
  a = ex.scratch_of<T>(a_size);
  b = ex.scratch_of<T>(b_size * ex.pool().threads());
  return a && b;
}

template <class T>
f2i_status product(Exec &ex, const GemmKernel<T> &kernel, const Workspace<T> &workspace,
                   const Product<T> &op) {
  if (op.m == 0 || op.n == 0) return F2I_OK;
  if (is_thin(kernel, op)) return thin_product(ex, kernel, workspace, op);
  const int64_t step = block_of_k(kernel, op.k), most_rows = rows_at_once(kernel, op.m);
  const int64_t most_k = std::max<int64_t>(1, workspace.a_size / (most_rows * step)) * step;
  const bool serial = op.serial || op.m * op.n < serial_work / std::max<int64_t>(op.k, 1);
  const int threads = serial ? 1 : ex.pool().threads();
  const Strided<T> a = op.k > 0 ? op.a : Strided<T>{}, b = op.k > 0 ? op.b : Strided<T>{}; // may be null

  for (int64_t m0 = 0; m0 < op.m; m0 += most_rows) {
    const int64_t m = std::min(most_rows, op.m - m0);
    const int64_t n = std::min(op.n, m0 + m + op.diagonal);
    if (n <= 0) continue;
    const Grid grid = grid_of(kernel, m, n, threads);
    int64_t k0 = 0;
    do {
      if (ex.cancelled()) return F2I_CANCELLED;
      const int64_t k1 = std::min(op.k, k0 + most_k);
      const int64_t padded = round_up(m, kernel.mr);

      const int64_t some = kernel.mr * std::max<int64_t>(1, 96 / kernel.mr); // rows of a packing task
      const int64_t blocks = ceil_div(k1 - k0, step);
      // With one strip of columns A is used once: each task packs its own rows, a few at a time.
      const bool own = grid.strips == 1 && workspace.a_size >= threads * some * step;
      if (!own) for_tasks(ex, ceil_div(m, some) * blocks, serial, [&](int64_t task, int) {
        const int64_t i = task / blocks * some, p = k0 + task % blocks * step;
        const int64_t length = std::min(step, k1 - p);
        kernel.pack_a(std::min(some, m - i), length, a.at(m0 + i, p), a.row, a.col,
                      workspace.a + (p - k0) * padded + i * length);
      });

      const int64_t aside = op.beside && m0 == 0 && k0 == 0;
      for_tasks(ex, grid.strips * grid.parts + aside, serial, [&](int64_t task, int worker) {
        if (task < aside) return (*op.beside)();
        task -= aside;
        const int64_t j = task / grid.parts * grid.width, cols = std::min(grid.width, n - j);
        int64_t i = task % grid.parts * grid.height;
        const int64_t end = std::min(m, i + grid.height);
        const int64_t wanted = j - op.diagonal - m0; // the first row that has a wanted entry
        if (wanted > i) i = wanted / kernel.mr * kernel.mr;
        if (i >= end || cols <= 0) return;
        T *packed = workspace.b + worker * workspace.b_size;
        int64_t p = k0;
        do {
          if (ex.cancelled()) return;
          const int64_t length = std::min(step, k1 - p);
          if (op.half) op.pack_half(length, cols, op.half + p * b.row + j * b.col, b.col, packed);
          else if (op.pack_columns) (*op.pack_columns)(p, length, j, cols, packed);
          else kernel.pack_b(length, cols, b.at(p, j), b.row, b.col, packed);
          GemmTarget<T> target{};
          target.accumulate = op.accumulate || p > 0;
          target.alpha = op.alpha;
          target.y = op.y + (m0 + i) * op.ldy + j;
          target.ldy = op.ldy;
          if (op.c) {
            target.beta = op.beta;
            target.c = op.c + (m0 + i) * op.ldc + j;
            target.ldc = op.ldc;
          }
          if (op.bias) target.bias = op.bias + j;
          if (own) {
            T *rows_packed = workspace.a + worker * some * step;
            for (int64_t r = i; r < end; r += some) {
              const int64_t rows = std::min(some, end - r);
              kernel.pack_a(rows, length, a.at(m0 + r, p), a.row, a.col, rows_packed);
              kernel.block(rows, cols, length, rows_packed, packed, &target, m0 + r + op.diagonal - j);
              target.y += rows * op.ldy;
              if (op.c) target.c += rows * op.ldc;
            }
          } else {
            kernel.block(end - i, cols, length, workspace.a + (p - k0) * padded + i * length, packed,
                         &target, m0 + i + op.diagonal - j);
          }
          p += step;
        } while (p < k1);
        if (op.finish && k1 == op.k) (*op.finish)(m0 + i, end - i, j, cols);
      });
      k0 = k1;
    } while (k0 < op.k);
  }
  return ex.cancelled() ? F2I_CANCELLED : F2I_OK;
}

template struct Workspace<float>;
template struct Workspace<double>;
template f2i_status product(Exec &, const GemmKernel<float> &, const Workspace<float> &,
                            const Product<float> &);
template f2i_status product(Exec &, const GemmKernel<double> &, const Workspace<double> &,
                            const Product<double> &);

} // namespace f2i::cpu
