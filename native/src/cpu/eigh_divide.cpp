// Divide and conquer for the symmetric tridiagonal eigenproblem (Cuppen, 1981, "A divide and conquer
// method for the symmetric tridiagonal eigenproblem"), made stable by Gu & Eisenstat (1995, "A
// divide-and-conquer algorithm for the symmetric tridiagonal eigenproblem"): the coupling e of two
// halves is a rank-one change, D + rho z z^T in the basis of the halves' eigenvectors. Entries of z that
// are negligible, and eigenvalues that coincide, deflate. For the others the secular equation gives the
// new eigenvalues; z is then recomputed so that these are its exact eigenvalues, which makes the
// eigenvectors orthogonal to working precision however close the eigenvalues are. The new eigenvectors
// are a product of matrices, nearly all of the work.
//
// Numbers are f64 for both types: only eigenvectors are stored (and multiplied) in T. What deflates is
// judged by the precision of T.
//
// The subtrees below a fixed size run as tasks of their own, one thread each; above, the threads share
// every merge. The tree depends on n alone.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "eigh_leaf.hpp"
#include "eigh_parts.hpp"
#include "eigh_secular.hpp"
#include "eigh_serial.hpp"

namespace f2i::cpu {
namespace {

/// Which half an eigenvector has elements in; deflation mixes some.
enum Support : uint8_t { left, both, right };

template <class T> class Divide {
public:
  Divide(Exec &ex, const Workspace<T> &workspace, const Tridiagonal<T> &t, const TridiagonalSolution<T> &s)
      : ex_(ex), workspace_(workspace), t_(t), s_(s), kernel_(eigh_kernel<T>(ex.isa())),
        gemm_(gemm_kernel<T>(ex.isa())) {}

  f2i_status run() {
    const int64_t n = t_.n;
    const int workers = ex_.pool().threads();
    subtree_ = std::max<int64_t>(2 * eigh_leaf_size, n / 8);
    double *numbers = ex_.scratch_of<double>(8 * n + workers * n);
    rows_ = ex_.scratch_of<int32_t>(3 * n);
    support_ = ex_.scratch_of<uint8_t>(n);
    std::vector<Lane> lanes;
    std::vector<std::unique_ptr<SerialExec>> execs;
    bool room = numbers && rows_ && support_;
    for (int i = 0; room && i < workers; ++i) {
      execs.push_back(std::make_unique<SerialExec>(ex_));
      lanes.push_back({execs.back().get(), {}, numbers + (8 + i) * n});
      room = reserve_for(lanes.back().workspace, *execs.back(), gemm_, std::min(n, subtree_));
    }
    if (!room)
      return ex_.fail(F2I_OUT_OF_MEMORY, "no room to merge %lld eigenvectors", static_cast<long long>(n));
    double **const parts[] = {&z_, &poles_, &weights_, &origin_, &mu_, &product_, &grouped_poles_, &grouped_z_};
    for (double **part : parts) {
      *part = numbers;
      numbers += n;
    }

    std::vector<int64_t> bounds; // of the subtrees
    tear(0, n, bounds);
    bounds.push_back(n);
    const int64_t subtrees = static_cast<int64_t>(bounds.size()) - 1;
    std::vector<f2i_status> statuses(static_cast<size_t>(subtrees), F2I_OK);
    for_tasks(ex_, subtrees, n <= 128, [&](int64_t task, int worker) {
      const int64_t first = bounds[static_cast<size_t>(task)];
      statuses[static_cast<size_t>(task)] = solve(lanes[static_cast<size_t>(worker)], first,
                                                  bounds[static_cast<size_t>(task) + 1] - first);
    });
    f2i_status status = F2I_OK;
    for (f2i_status other : statuses)
      if (status == F2I_OK) status = other;
    if (status == F2I_OK) {
      Lane all{&ex_, workspace_, lanes[0].work};
      status = merge_above(all, 0, n);
    }
    if (status == F2I_NO_CONVERGENCE)
      return ex_.fail(status, "an eigenvalue of the tridiagonal matrix did not converge");
    return status;
  }

private:
  /// Who works on a merge: the pool, or one of its threads.
  struct Lane {
    Exec *ex;
    Workspace<T> workspace;
    double *work; // n numbers a worker
  };

  static int64_t half(int64_t m) { return m / 2; }

  /// Takes the couplings out: T = diag(T1, T2) + |e| u u^T with u = (0, ..., 1, sign e, ..., 0).
  void tear(int64_t first, int64_t m, std::vector<int64_t> &bounds) {
    if (m <= subtree_) bounds.push_back(first);
    tear_inside(first, m, bounds);
  }
  void tear_inside(int64_t first, int64_t m, std::vector<int64_t> &bounds) {
    if (m <= eigh_leaf_size) return;
    const int64_t middle = first + half(m);
    const double coupling = std::fabs(t_.e[middle - 1]);
    t_.d[middle - 1] -= coupling;
    t_.d[middle] -= coupling;
    if (m <= subtree_) {
      tear_inside(first, half(m), bounds);
      tear_inside(middle, m - half(m), bounds);
    } else {
      tear(first, half(m), bounds);
      tear(middle, m - half(m), bounds);
    }
  }

  T *row(int64_t i) const { return s_.x + i * s_.ldx; }

  f2i_status solve(const Lane &lane, int64_t first, int64_t m) {
    if (m <= eigh_leaf_size) return leaf(first, m);
    f2i_status status = solve(lane, first, half(m));
    if (status == F2I_OK) status = solve(lane, first + half(m), m - half(m));
    return status == F2I_OK ? merge(lane, first, m) : status;
  }

  f2i_status merge_above(const Lane &lane, int64_t first, int64_t m) {
    if (m <= subtree_) return F2I_OK;
    f2i_status status = merge_above(lane, first, half(m));
    if (status == F2I_OK) status = merge_above(lane, first + half(m), m - half(m));
    return status == F2I_OK ? merge(lane, first, m) : status;
  }

  f2i_status leaf(int64_t first, int64_t m) {
    double vectors[eigh_leaf_size * eigh_leaf_size], couplings[eigh_leaf_size];
    std::copy(t_.e + first, t_.e + first + m - 1, couplings);
    if (!solve_leaf(m, t_.d + first, couplings, vectors)) return F2I_NO_CONVERGENCE;
    for (int64_t i = 0; i < m; ++i) {
      s_.w[first + i] = t_.d[first + i];
      for (int64_t j = 0; j < m; ++j) row(first + i)[first + j] = static_cast<T>(vectors[i * m + j]);
    }
    sort(first, m);
    return F2I_OK;
  }

  void sort(int64_t first, int64_t m) {
    for (int64_t i = first; i < first + m; ++i) s_.order[i] = static_cast<int32_t>(i);
    std::sort(s_.order + first, s_.order + first + m, [w = s_.w](int32_t i, int32_t j) {
      return w[i] != w[j] ? w[i] < w[j] : i < j;
    });
  }

  /// What deflation leaves: rows kept[0..count) with ascending poles, and the deflated rows behind them.
  int64_t deflate(int64_t first, int64_t m, double rho, int32_t *kept) {
    const int64_t end = first + m, middle = first + half(m);
    int32_t *sorted = rows_ + 2 * t_.n + first;
    std::merge(s_.order + first, s_.order + middle, s_.order + middle, s_.order + end, sorted,
               [w = s_.w](int32_t i, int32_t j) { return w[i] < w[j]; });
    double largest = rho;
    for (int64_t i = first; i < end; ++i) largest = std::max(largest, std::fabs(s_.w[i]));
    const double tolerance = 4 * static_cast<double>(std::numeric_limits<T>::epsilon()) * largest;

    int64_t count = 0, deflated = m;
    int32_t candidate = -1; // the last row that has not deflated; the next may still join it
    for (int64_t q = 0; q < m; ++q) {
      const int32_t i = sorted[q];
      if (rho * std::fabs(z_[i]) <= tolerance) {
        kept[--deflated] = i;
        continue;
      }
      if (candidate >= 0) {
        // A rotation that makes z vanish in the candidate; how much does it couple the two?
        const double length = std::hypot(z_[i], z_[candidate]);
        const double c = z_[i] / length, s = -z_[candidate] / length;
        const double wc = s_.w[candidate], wi = s_.w[i];
        if (std::fabs((wi - wc) * c * s) <= tolerance) {
          z_[i] = length;
          kernel_.rotate(m, static_cast<T>(c), static_cast<T>(s), row(candidate) + first, row(i) + first);
          if (support_[i] != support_[candidate]) support_[i] = support_[candidate] = both;
          s_.w[candidate] = wc * c * c + wi * s * s;
          s_.w[i] = wc * s * s + wi * c * c;
          kept[--deflated] = candidate;
        } else {
          kept[count++] = candidate;
        }
      }
      candidate = i;
    }
    if (candidate >= 0) kept[count++] = candidate;
    return count;
  }

  f2i_status merge(const Lane &lane, int64_t first, int64_t m) {
    if (lane.ex->cancelled()) return F2I_CANCELLED;
    const int64_t n1 = half(m), middle = first + n1;
    const double coupling = t_.e[middle - 1], rho = 2 * std::fabs(coupling);
    for (int64_t i = first; i < first + m; ++i) {
      const bool low = i < middle;
      const double element = static_cast<double>(row(i)[low ? middle - 1 : middle]);
      z_[i] = (low || coupling > 0 ? element : -element) * std::sqrt(0.5);
      support_[i] = low ? left : right;
    }
    int32_t *kept = rows_ + first;
    const int64_t count = deflate(first, m, rho, kept);
    if (count > 0) {
      const f2i_status status = update(lane, first, m, count, rho, kept);
      if (status != F2I_OK) return status;
    }
    sort(first, m);
    return F2I_OK;
  }

  /// Eigenvalues and eigenvectors of the kept part.
  f2i_status update(const Lane &lane, int64_t first, int64_t m, int64_t count, double rho, const int32_t *kept) {
    Exec &ex = *lane.ex;
    const bool serial = m <= 128;
    double *poles = poles_ + first, *z = weights_ + first, *origin = origin_ + first, *mu = mu_ + first;
    for (int64_t j = 0; j < count; ++j) {
      poles[j] = s_.w[kept[j]];
      z[j] = z_[kept[j]];
    }

    constexpr int64_t roots_a_task = 16, poles_a_task = 64;
    std::atomic<bool> failed{false};
    for_tasks(ex, ceil_div(count, roots_a_task), serial, [&](int64_t task, int) {
      if (ex.cancelled()) return;
      for (int64_t i = task * roots_a_task; i < std::min(count, (task + 1) * roots_a_task); ++i) {
        SecularRoot root;
        if (!secular_root(kernel_.secular, count, i, poles, z, rho, root)) failed = true;
        origin[i] = root.origin;
        mu[i] = root.mu;
      }
    });
    if (ex.cancelled()) return F2I_CANCELLED;
    if (failed) return F2I_NO_CONVERGENCE;

    double *product = product_ + first;
    for_tasks(ex, ceil_div(count, poles_a_task), serial, [&](int64_t task, int) {
      const int64_t j = task * poles_a_task, some = std::min(poles_a_task, count - j);
      std::fill(product + j, product + j + some, 1.0);
      kernel_.reweigh(count, j, some, poles, origin, mu, product + j);
    });

    // Kept eigenvectors in the order left, both, right: each half is then one dense product.
    int32_t *grouped = rows_ + t_.n + first;
    double *grouped_poles = grouped_poles_ + first, *grouped_z = grouped_z_ + first;
    int64_t sizes[3] = {}, filled = 0;
    for (Support group : {left, both, right})
      for (int64_t j = 0; j < count; ++j) {
        if (support_[kept[j]] != group) continue;
        grouped[filled] = kept[j];
        grouped_poles[filled] = poles[j];
        grouped_z[filled++] = std::copysign(std::sqrt(std::fabs(product[j])), z[j]);
        ++sizes[group];
      }
    const int64_t n1 = half(m), n2 = m - n1, deflated = m - count;
    const int64_t in_left = sizes[left] + sizes[both], in_right = sizes[both] + sizes[right];
    T *left_rows = s_.packed + first * t_.n, *right_rows = left_rows + in_left * n1;
    T *secular = s_.secular + first * t_.n, *spare = secular + count * m;

    for_tasks(ex, ceil_div(m, roots_a_task), serial, [&](int64_t task, int worker) {
      if (ex.cancelled()) return;
      for (int64_t i = task * roots_a_task; i < std::min(m, (task + 1) * roots_a_task); ++i) {
        if (i >= count) { // a deflated eigenvector, whose place is needed
          const T *from = row(kept[i]) + first;
          std::copy(from, from + m, spare + (i - count) * m);
          continue;
        }
        const T *from = row(grouped[i]) + first;
        if (i < in_left) std::copy(from, from + n1, left_rows + i * n1);
        if (i >= sizes[left]) std::copy(from + n1, from + m, right_rows + (i - sizes[left]) * n2);
        kernel_.eigenvector(count, grouped_poles, grouped_z, origin[i], mu[i], lane.work + worker * t_.n,
                            secular + i * m);
      }
    });
    if (ex.cancelled()) return F2I_CANCELLED;

    double *w = product; // the deflated eigenvalues, before their places are written
    for (int64_t i = 0; i < deflated; ++i) w[i] = s_.w[kept[count + i]];
    for (int64_t i = 0; i < count; ++i) s_.w[first + i] = origin[i] + mu[i];
    std::copy(w, w + deflated, s_.w + first + count);
    for_tasks(ex, ceil_div(deflated, roots_a_task), serial, [&](int64_t task, int) {
      for (int64_t i = task * roots_a_task; i < std::min(deflated, (task + 1) * roots_a_task); ++i)
        std::copy(spare + i * m, spare + (i + 1) * m, row(first + count + i) + first);
    });
    const f2i_status status = multiply(lane, count, n1, in_left, secular, m, left_rows, row(first) + first);
    if (status != F2I_OK) return status;
    return multiply(lane, count, n2, in_right, secular + sizes[left], m, right_rows, row(first) + first + n1);
  }

  f2i_status multiply(const Lane &lane, int64_t rows, int64_t cols, int64_t k, const T *a, int64_t lda,
                      const T *b, T *y) {
    if (k == 0) {
      for (int64_t i = 0; i < rows; ++i) std::fill(y + i * s_.ldx, y + i * s_.ldx + cols, T(0));
      return F2I_OK;
    }
    Product<T> p;
    p.m = rows;
    p.n = cols;
    p.k = k;
    p.a = {a, lda, 1};
    p.b = {b, cols, 1};
    p.y = y;
    p.ldy = s_.ldx;
    return product(*lane.ex, gemm_, lane.workspace, p);
  }

  Exec &ex_;
  const Workspace<T> &workspace_;
  const Tridiagonal<T> &t_;
  const TridiagonalSolution<T> &s_;
  const EighKernel<T> &kernel_;
  const GemmKernel<T> &gemm_;
  int64_t subtree_ = 0;
  // [n] each; a subproblem uses its own range.
  double *z_ = nullptr, *poles_ = nullptr, *weights_ = nullptr, *origin_ = nullptr, *mu_ = nullptr,
         *product_ = nullptr, *grouped_poles_ = nullptr, *grouped_z_ = nullptr;
  int32_t *rows_ = nullptr; // kept and deflated, grouped, sorted
  uint8_t *support_ = nullptr;
};

} // namespace

template <class T>
f2i_status divide_and_conquer(Exec &ex, const Workspace<T> &workspace, const Tridiagonal<T> &t,
                              const TridiagonalSolution<T> &solution) {
  return Divide<T>(ex, workspace, t, solution).run();
}

template f2i_status divide_and_conquer(Exec &, const Workspace<float> &, const Tridiagonal<float> &,
                                       const TridiagonalSolution<float> &);
template f2i_status divide_and_conquer(Exec &, const Workspace<double> &, const Tridiagonal<double> &,
                                       const TridiagonalSolution<double> &);

} // namespace f2i::cpu
