// Blocked Householder reduction to tridiagonal form (Dongarra, Hammarling & Sorensen, 1989, "Block
// reduction of matrices to condensed forms for eigenvalue computations"), from the last row up, so
// that what remains is always a leading block with contiguous rows. Per panel, half of the work are
// products of the remaining triangle with a vector, at the speed of memory; the other half is one
// product of matrices.
//
// Precision: the reduction runs in the type of the input. It is backward stable (the computed T and Q
// belong to a matrix within n eps |A| of A), which is the accuracy that f32 input justifies, and
// f64 would double the memory traffic that bounds it.
#include <algorithm>
#include <cmath>

#include "eigh_parts.hpp"
#include "eigh_team.hpp"

namespace f2i::cpu {
namespace {

constexpr int64_t panel_rows = 32;
constexpr int64_t chunk = 512;          // elements of a vector that one member handles at a time
constexpr int64_t most_parts = 32;      // of the triangle, whose products are summed separately
constexpr int64_t alone = 256;          // up to here one thread is faster than a team

/// Below this squared length (the matrix is scaled to largest element 1) a row is taken as 0: 2^-40 and
/// 2^-450 are far below the rounding errors, but safely above what underflow does to the squares.
template <class T> constexpr T negligible = sizeof(T) == 4 ? T(0x1p-80) : T(0x1p-900);

template <class T> class Reduction {
public:
  Reduction(Exec &ex, const Tridiagonal<T> &t) : ex_(ex), t_(t), kernel_(eigh_kernel<T>(ex.isa())) {
    stride_ = round_up(t.n, 64 / static_cast<int64_t>(sizeof(T)));
    chunks_ = ceil_div(t.n, chunk);
    pairs_ = ex.scratch_of<T>(2 * panel_rows * stride_);
    swapped_ = ex.scratch_of<T>(2 * panel_rows * stride_);
    partial_ = ex.scratch_of<T>(most_parts * stride_);
    sums_ = ex.scratch_of<T>(chunks_ * (2 * panel_rows + 2));
  }

  f2i_status run(const Workspace<T> &workspace) {
    if (!pairs_ || !swapped_ || !partial_ || !sums_)
      return ex_.fail(F2I_OUT_OF_MEMORY, "no room for a panel of reflectors of %lld elements",
                      static_cast<long long>(t_.n));
    for (int64_t end = t_.n; end > 0;) {
      if (ex_.cancelled()) return F2I_CANCELLED;
      const int64_t first = std::max<int64_t>(0, end - panel_rows);
      const int members = end <= alone ? 1 : ex_.pool().threads();
      run_team(ex_.pool(), members, [&](Team &team, int member) { panel(team, member, first, end); });
      if (first > 0) {
        const f2i_status status = update(workspace, first, end);
        if (status != F2I_OK) return status;
      }
      end = first;
    }
    return F2I_OK;
  }

private:
  // Rows 2k and 2k + 1 of pairs_ hold v and w of the panel's k-th reflector: the matrix without what
  // the panel has done so far is A - sum_k (v_k w_k^T + w_k v_k^T).
  T *v(int64_t k) const { return pairs_ + 2 * k * stride_; }
  T *w(int64_t k) const { return pairs_ + (2 * k + 1) * stride_; }
  /// A chunk's sums: products with the 2k rows of pairs_, then two more.
  T *sums(int64_t c) const { return sums_ + c * (2 * panel_rows + 2); }
  T total(int64_t chunks, int64_t which) const {
    T sum = 0;
    for (int64_t c = 0; c < chunks; ++c) sum += sums(c)[which];
    return sum;
  }
  static constexpr int64_t squares = 2 * panel_rows, product = squares + 1;

  /// Where part p of the triangle of n rows begins: parts of equal area.
  static int64_t part_begin(int64_t n, int64_t parts, int64_t p) {
    if (p >= parts) return n;
    const double share = std::sqrt(static_cast<double>(p) / static_cast<double>(parts));
    return std::min(n, round_up(static_cast<int64_t>(share * static_cast<double>(n)), 16));
  }

  void panel(Team &team, int member, int64_t first, int64_t end) {
    T factors[2 * panel_rows];
    for (int64_t i = end - 1; i >= first; --i) {
      const int64_t k = end - 1 - i; // reflectors of the panel so far
      T *row = t_.a + i * t_.lda;
      const int64_t chunks = ceil_div(i + 1, chunk);
      auto for_chunks = [&](int64_t n, auto &&body) {
        for (int64_t c = member; c * chunk < n; c += team.members()) body(c, c * chunk, std::min(n, (c + 1) * chunk));
      };

      // The row as the panel leaves it, and the length of what has to vanish: a[i, 0..i-1).
      for (int64_t q = 0; q < k; ++q) {
        factors[2 * q] = w(q)[i];
        factors[2 * q + 1] = v(q)[i];
      }
      for_chunks(i + 1, [&](int64_t c, int64_t j, int64_t j_end) {
        kernel_.subtract_rows(2 * k, factors, pairs_ + j, stride_, j_end - j, row + j);
        const int64_t vanishing = std::min(j_end, i - 1) - j;
        sums(c)[squares] = 0;
        sums(c)[product] = i > j && i <= j_end ? row[i - 1] : T(0);
        if (vanishing > 0) kernel_.dot_rows(1, row + j, 0, vanishing, row + j, &sums(c)[squares]);
      });
      team.barrier();

      // H = I - tau v v^T takes the row to (0, ..., 0, e).
      const T rest = total(chunks, squares), last = total(chunks, product); // row[i - 1]
      const T length = std::sqrt(last * last + rest);
      const bool trivial = !(last * last + rest > negligible<T>) || rest == 0;
      const T e = trivial ? last : last > 0 ? -length : length;
      const T tau = trivial ? T(0) : (e - last) / e, inverse = trivial ? T(0) : 1 / (last - e);
      if (member == 0) {
        t_.d[i] = static_cast<double>(row[i]);
        if (i > 0) t_.e[i - 1] = static_cast<double>(e);
        t_.tau[i] = tau;
      }
      for_chunks(i, [&](int64_t c, int64_t j, int64_t j_end) {
        for (int64_t q = j; q < j_end; ++q) row[q] *= inverse;
        if (j_end == i) row[i - 1] = 1;
        std::copy(row + j, row + j_end, v(k) + j);
        kernel_.dot_rows(2 * k, pairs_ + j, stride_, j_end - j, row + j, sums(c));
      });
      team.barrier();
      if (trivial) { // the same for all members
        for_chunks(i, [&](int64_t, int64_t j, int64_t j_end) {
          std::fill(v(k) + j, v(k) + j_end, T(0));
          std::fill(w(k) + j, w(k) + j_end, T(0));
        });
        team.barrier();
        continue;
      }

      // w = tau (A v) - (tau/2) (tau (A v)^T v) v, with A v of the panel's start.
      const int64_t parts = std::clamp<int64_t>(i / 128, 1, most_parts);
      for (int64_t p = member; p < parts; p += team.members()) {
        const int64_t begin = part_begin(i, parts, p), part_end = part_begin(i, parts, p + 1);
        T *y = partial_ + p * stride_;
        std::fill(y, y + part_end, T(0));
        kernel_.symv(begin, part_end, t_.a, t_.lda, v(k), y);
      }
      const int64_t used = ceil_div(i, chunk);
      for (int64_t q = 0; q < k; ++q) {
        factors[2 * q] = total(used, 2 * q + 1);
        factors[2 * q + 1] = total(used, 2 * q);
      }
      team.barrier();
      for_chunks(i, [&](int64_t c, int64_t j, int64_t j_end) {
        T *y = w(k);
        std::fill(y + j, y + j_end, T(0));
        for (int64_t p = 0; p < parts; ++p) {
          const int64_t stop = std::min(j_end, part_begin(i, parts, p + 1));
          const T *from = partial_ + p * stride_;
          for (int64_t q = j; q < stop; ++q) y[q] += from[q];
        }
        kernel_.subtract_rows(2 * k, factors, pairs_ + j, stride_, j_end - j, y + j);
        for (int64_t q = j; q < j_end; ++q) y[q] *= tau;
        kernel_.dot_rows(1, y + j, 0, j_end - j, v(k) + j, &sums(c)[product]);
      });
      team.barrier();
      const T share = tau * total(used, product) / 2;
      for_chunks(i, [&](int64_t, int64_t j, int64_t j_end) {
        kernel_.subtract_rows(1, &share, v(k) + j, 0, j_end - j, w(k) + j);
      });
      team.barrier();
    }
  }

  /// The leading block without the panel's reflectors: one product of rank 2 panel_rows.
  f2i_status update(const Workspace<T> &workspace, int64_t first, int64_t end) {
    const int64_t k = end - first;
    for (int64_t q = 0; q < k; ++q) {
      std::copy(v(q), v(q) + first, swapped_ + (2 * q + 1) * stride_);
      std::copy(w(q), w(q) + first, swapped_ + 2 * q * stride_);
    }
    Product<T> p;
    p.m = p.n = first;
    p.k = 2 * k;
    p.a = {pairs_, 1, stride_};
    p.b = {swapped_, stride_, 1};
    p.alpha = -1;
    p.y = t_.a;
    p.ldy = t_.lda;
    p.accumulate = true;
    p.diagonal = 0;
    return cpu::product(ex_, gemm_kernel<T>(ex_.isa()), workspace, p);
  }

  Exec &ex_;
  const Tridiagonal<T> &t_;
  const EighKernel<T> &kernel_;
  int64_t stride_ = 0, chunks_ = 0;
  T *pairs_ = nullptr, *swapped_ = nullptr, *partial_ = nullptr, *sums_ = nullptr;
};

} // namespace

template <class T>
f2i_status tridiagonalize(Exec &ex, const Workspace<T> &workspace, const Tridiagonal<T> &t) {
  return Reduction<T>(ex, t).run(workspace);
}

template f2i_status tridiagonalize(Exec &, const Workspace<float> &, const Tridiagonal<float> &);
template f2i_status tridiagonalize(Exec &, const Workspace<double> &, const Tridiagonal<double> &);

} // namespace f2i::cpu
