#include "problems.hpp"

#include <algorithm>
#include <functional>
#include <stdexcept>

#include "layers.hpp"
#include "op_problem.hpp"

namespace bench {
namespace {

/// g g^T / k + I, whose factor exists.
template <class T> void make_definite(Matrix<T> &a) {
  const int64_t n = a.rows;
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  std::vector<double> u(static_cast<size_t>(n));
  for (double &x : u) x = normal(random) / std::sqrt(static_cast<double>(n));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) { // small noise around I + u u^T: diagonally heavy, not structured
      const double noise = 0.1 * normal(random) / std::sqrt(static_cast<double>(n));
      const double value = u[static_cast<size_t>(i)] * u[static_cast<size_t>(j)] + (i == j ? 1.5 : noise);
      a.host[static_cast<size_t>(i * n + j)] = a.host[static_cast<size_t>(j * n + i)] = static_cast<T>(value);
    }
  }
  a.upload();
}

template <class T> void make_lower(Matrix<T> &l) {
  const int64_t n = l.rows;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      T &value = l.host[static_cast<size_t>(i * n + j)];
      value = j > i ? T(0) : j == i ? T(1.5) : static_cast<T>(value / std::sqrt(4.0 * static_cast<double>(n)));
    }
  }
  l.upload();
}

template <class T> std::unique_ptr<Problem> make(f2i_context *context, const Options &options) {
  auto owned = std::make_unique<OpProblem<T>>(context, options);
  OpProblem<T> &p = *owned;
  const std::vector<int64_t> &s = p.shape;
  const std::string &op = options.op;

  if (op == "gemm") {
    auto &a = p.input(s[0], s[1]), &b = p.input(s[1], s[2]), &y = p.output(s[0], s[2]);
    f2i_gemm_args args = F2I_INIT(f2i_gemm_args);
    args.alpha = 1, args.a = a.view(), args.b = b.view(), args.y = y.view();
    p.call(f2i_gemm, args);
    p.flops = 2 * p.extent(0) * p.extent(1) * p.extent(2);
    p.compare_entries(y, p.extent(1), [&](int64_t i, int64_t j, double &value, double &size) {
      for (int64_t k = 0; k < a.cols; ++k) value += a(i, k) * b(k, j), size += std::abs(a(i, k) * b(k, j));
    });
  } else if (op == "gemm_batch") {
    const int64_t batch = s[0], m = s[1], k = s[2], n = s[3];
    auto &a = p.input(batch * m, k), &b = p.input(batch * k, n), &y = p.output(batch * m, n);
    f2i_gemm_args args = F2I_INIT(f2i_gemm_args);
    args.batch = batch, args.alpha = 1, args.a = a.view(), args.b = b.view(), args.y = y.view();
    p.call(f2i_gemm, args);
    p.flops = 2 * p.extent(0) * p.extent(1) * p.extent(2) * p.extent(3);
    p.compare_entries(y, p.extent(2), [&a, &b, m, k](int64_t i, int64_t j, double &value, double &size) {
      const int64_t first = i / m * k; // row of b
      for (int64_t q = 0; q < k; ++q) value += a(i, q) * b(first + q, j), size += std::abs(a(i, q) * b(first + q, j));
    });
  } else if (op == "gram") {
    auto &x = p.input(s[0], s[1]), &y = p.output(s[0], s[0]);
    f2i_gram_args args = F2I_INIT(f2i_gram_args);
    args.alpha = 1, args.x = x.view(), args.y = y.view();
    p.call(f2i_gram, args);
    p.flops = p.extent(0) * (p.extent(0) + 1) * p.extent(1);
    p.compare_entries(y, p.extent(1), [&](int64_t i, int64_t j, double &value, double &size) {
      for (int64_t k = 0; k < x.cols; ++k) value += x(i, k) * x(j, k), size += std::abs(x(i, k) * x(j, k));
    });
  } else if (op == "cholesky_factor") {
    auto &a = p.input(s[0], s[0]), &y = p.output(s[0], s[0]);
    make_definite(a);
    f2i_cholesky_factor_args args = F2I_INIT(f2i_cholesky_factor_args);
    args.shift = 0.5, args.a = a.view(), args.y = y.view();
    p.call(f2i_cholesky_factor, args);
    p.flops = p.extent(0) * p.extent(0) * p.extent(0) / 3;
    p.checked_by([&] {
      y.download();
      double worst = 0;
      for (int sample = 0; sample < samples; ++sample) {
        const int64_t i = p.below(a.rows), j = p.below(i + 1);
        double value = 0, size = 0;
        for (int64_t k = 0; k <= j; ++k) value += y(i, k) * y(j, k), size += std::abs(y(i, k) * y(j, k));
        worst = p.larger(worst, std::abs(value - a(i, j) - (i == j ? 0.5 : 0)) / (p.rounding(p.extent(0)) * size));
        if (j < i && y(j, i) != 0) worst = INFINITY;
      }
      return worst;
    });
  } else if (op == "cholesky_solve" || op == "triangular_solve") {
    auto &l = p.input(s[0], s[0]), &b = p.input(s[0], s[1]), &y = p.output(s[0], s[1]);
    make_lower(l);
    const bool both = op == "cholesky_solve";
    if (both) {
      f2i_cholesky_solve_args args = F2I_INIT(f2i_cholesky_solve_args);
      args.l = l.view(), args.b = b.view(), args.y = y.view();
      p.call(f2i_cholesky_solve, args);
    } else {
      f2i_triangular_solve_args args = F2I_INIT(f2i_triangular_solve_args);
      args.l = l.view(), args.b = b.view(), args.y = y.view();
      p.call(f2i_triangular_solve, args);
    }
    p.flops = (both ? 2 : 1) * p.extent(0) * p.extent(0) * p.extent(1);
    p.checked_by([&, both] {
      y.download();
      const int64_t n = l.rows;
      double worst = 0;
      for (int sample = 0; sample < 4; ++sample) { // whole columns: l (l^T y) = b
        const int64_t c = p.below(y.cols);
        std::vector<double> v(static_cast<size_t>(n)), size(static_cast<size_t>(n));
        for (int64_t i = 0; i < n; ++i) v[static_cast<size_t>(i)] = y(i, c), size[static_cast<size_t>(i)] = std::abs(y(i, c));
        for (int pass = both ? 0 : 1; pass < 2; ++pass) {
          std::vector<double> next(static_cast<size_t>(n)), next_size(static_cast<size_t>(n));
          for (int64_t i = 0; i < n; ++i) {
            for (int64_t j = 0; j <= i; ++j) {
              const auto from = static_cast<size_t>(pass == 0 ? i : j), to = static_cast<size_t>(pass == 0 ? j : i);
              next[to] += l(i, j) * v[from];
              next_size[to] += std::abs(l(i, j)) * size[from];
            }
          }
          v = next;
          size = next_size;
        }
        for (int64_t i = 0; i < n; ++i) {
          worst = p.larger(worst, std::abs(v[static_cast<size_t>(i)] - b(i, c)) /
                                      (p.rounding(p.extent(0)) * size[static_cast<size_t>(i)]));
        }
      }
      return worst;
    });
  } else if (op == "eigh") {
    auto &a = p.input(s[0], s[0]), &w = p.output(1, s[0]), &q = p.output(s[0], s[0]);
    for (int64_t i = 0; i < s[0]; ++i)
      for (int64_t j = 0; j < i; ++j) a.host[static_cast<size_t>(j * s[0] + i)] = a.host[static_cast<size_t>(i * s[0] + j)];
    a.upload();
    f2i_eigh_args args = F2I_INIT(f2i_eigh_args);
    args.a = a.view(), args.w = w.view(), args.q = q.view();
    p.call(f2i_eigh, args);
    p.checked_by([&] {
      w.download();
      q.download();
      const int64_t n = a.rows;
      const double norm = std::max(std::abs(w(0, 0)), std::abs(w(0, n - 1)));
      double worst = 0;
      for (int sample = 0; sample < 8; ++sample) { // a q_j = w_j q_j, q_j^T q_k = (j = k)
        const int64_t j = p.below(n), k = p.below(n);
        double dot = 0;
        for (int64_t i = 0; i < n; ++i) {
          double value = 0;
          for (int64_t c = 0; c < n; ++c) value += a(i, c) * q(c, j);
          worst = p.larger(worst, std::abs(value - w(0, j) * q(i, j)) / (p.rounding(p.extent(0)) * norm));
          dot += q(i, j) * q(i, k);
        }
        worst = p.larger(worst, std::abs(dot - (j == k ? 1 : 0)) / p.rounding(p.extent(0)));
      }
      return worst;
    });
  } else if (op == "column_stats") {
    auto &x = p.input(s[0], s[1], 2, 3), &mean = p.output(1, s[1]), &std = p.output(1, s[1]);
    f2i_column_stats_args args = F2I_INIT(f2i_column_stats_args);
    args.x = x.view(), args.mean = mean.view(), args.std = std.view();
    p.call(f2i_column_stats, args);
    p.flops = 4 * p.extent(0) * p.extent(1);
    p.checked_by([&] {
      mean.download();
      std.download();
      double worst = 0;
      for (int sample = 0; sample < samples; ++sample) {
        const int64_t j = p.below(x.cols);
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < x.rows; ++i) sum += x(i, j);
        const double m = sum / p.extent(0);
        for (int64_t i = 0; i < x.rows; ++i) squares += (x(i, j) - m) * (x(i, j) - m);
        worst = p.larger(worst, std::abs(mean(0, j) - m) / (p.rounding(p.extent(0)) * 5));
        worst = p.larger(worst, std::abs(std(0, j) - std::sqrt(squares / p.extent(0))) / (p.rounding(p.extent(0)) * 5));
      }
      return worst;
    });
  } else if (op == "standardize") {
    auto &x = p.input(s[0], s[1], 2, 3), &mean = p.input(1, s[1], 1, 3), &std = p.input(1, s[1], 0.1, 2),
         &y = p.output(s[0], s[1]);
    f2i_standardize_args args = F2I_INIT(f2i_standardize_args);
    args.x = x.view(), args.mean = mean.view(), args.std = std.view(), args.y = y.view();
    p.call(f2i_standardize, args);
    p.flops = 2 * p.extent(0) * p.extent(1);
    p.compare_entries(y, 1, [&](int64_t i, int64_t j, double &value, double &size) {
      value = (x(i, j) - mean(0, j)) / std(0, j);
      size = (std::abs(x(i, j)) + std::abs(mean(0, j))) / std(0, j);
    });
  } else if (op == "pearson_columns") {
    auto &a = p.input(s[0], s[1], 1, 1), &b = p.input(s[0], s[1], 1, 1), &y = p.output(1, s[1]);
    f2i_pearson_columns_args args = F2I_INIT(f2i_pearson_columns_args);
    args.a = a.view(), args.b = b.view(), args.y = y.view();
    p.call(f2i_pearson_columns, args);
    p.flops = 10 * p.extent(0) * p.extent(1);
    p.compare_entries(y, p.extent(0), [&](int64_t, int64_t j, double &value, double &size) {
      double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
      for (int64_t i = 0; i < a.rows; ++i) ma += a(i, j) / p.extent(0), mb += b(i, j) / p.extent(0);
      for (int64_t i = 0; i < a.rows; ++i) {
        aa += (a(i, j) - ma) * (a(i, j) - ma);
        bb += (b(i, j) - mb) * (b(i, j) - mb);
        ab += (a(i, j) - ma) * (b(i, j) - mb);
      }
      value = ab / std::sqrt(aa * bb);
      size = 1;
    });
  } else if (op == "cosine_matrix") {
    auto &a = p.input(s[0], s[2]), &b = p.input(s[1], s[2]), &y = p.output(s[0], s[1]);
    f2i_cosine_matrix_args args = F2I_INIT(f2i_cosine_matrix_args);
    args.a = a.view(), args.b = b.view(), args.y = y.view();
    p.call(f2i_cosine_matrix, args);
    p.flops = 2 * p.extent(0) * p.extent(1) * p.extent(2);
    p.compare_entries(y, p.extent(2), [&](int64_t i, int64_t j, double &value, double &size) {
      double aa = 0, bb = 0, ab = 0, sum = 0;
      for (int64_t k = 0; k < a.cols; ++k) {
        aa += a(i, k) * a(i, k), bb += b(j, k) * b(j, k), ab += a(i, k) * b(j, k);
        sum += std::abs(a(i, k) * b(j, k));
      }
      value = ab / std::sqrt(aa * bb);
      size = sum / std::sqrt(aa * bb);
    });
  } else if (op == "top_k") {
    auto &x = p.input(s[0], s[1]), &values = p.output(s[0], s[2]);
    auto &indices = p.indices(s[0], s[2]);
    f2i_top_k_args args = F2I_INIT(f2i_top_k_args);
    args.x = x.view(), args.values = values.view(), args.indices = indices.view();
    p.call(f2i_top_k, args);
    p.checked_by([&] {
      values.download();
      indices.download();
      for (int sample = 0; sample < samples; ++sample) {
        const int64_t i = p.below(x.rows), k = values.cols;
        std::vector<T> row(x.host.begin() + i * x.cols, x.host.begin() + (i + 1) * x.cols);
        std::partial_sort(row.begin(), row.begin() + k, row.end(), std::greater<T>());
        for (int64_t j = 0; j < k; ++j) {
          const auto at = static_cast<int64_t>(indices(i, j));
          if (values(i, j) != static_cast<double>(row[static_cast<size_t>(j)]) || x(i, at) != values(i, j)) return double{INFINITY};
        }
      }
      return 0.0;
    });
  } else if (op == "elementwise") {
    auto &a = p.input(s[0], s[1]), &b = p.input(s[0], s[1]), &y = p.output(s[0], s[1]);
    f2i_elementwise_args args = F2I_INIT(f2i_elementwise_args);
    args.kind = F2I_MUL, args.a = a.view(), args.b = b.view(), args.y = y.view();
    p.call(f2i_elementwise, args);
    p.flops = p.extent(0) * p.extent(1);
    p.compare_entries(y, 1, [&](int64_t i, int64_t j, double &value, double &size) {
      value = a(i, j) * b(i, j);
      size = std::abs(value);
    });
  } else if (op == "gather") {
    auto &x = p.input(s[0], s[1]), &y = p.output(s[0], s[1]);
    auto order = std::make_shared<std::vector<int32_t>>(static_cast<size_t>(s[0]));
    for (int32_t &index : *order) index = static_cast<int32_t>(p.below(s[0]));
    f2i_gather_args args = F2I_INIT(f2i_gather_args);
    args.row_indices = order->data(), args.x = x.view(), args.y = y.view();
    p.call(f2i_gather, args);
    p.compare_entries(y, 1, [&x, order](int64_t i, int64_t j, double &value, double &size) {
      value = x((*order)[static_cast<size_t>(i)], j);
      size = 1e-30; // exact
    });
  } else if (op == "cast") { // between f32 and f64
    using U = std::conditional_t<sizeof(T) == 4, double, float>;
    auto &x = p.input(s[0], s[1]);
    auto y = std::make_shared<Matrix<U>>(context, s[0], s[1], dtype_of<U>);
    p.bytes += static_cast<double>(y->bytes());
    f2i_cast_args args = F2I_INIT(f2i_cast_args);
    args.x = x.view(), args.y = y->view();
    p.call(f2i_cast, args);
    p.checked_by([&p, &x, y] {
      y->download();
      for (int sample = 0; sample < samples; ++sample) {
        const int64_t i = p.below(x.rows), j = p.below(x.cols);
        if ((*y)(i, j) != static_cast<double>(static_cast<U>(x(i, j)))) return double{INFINITY};
      }
      return 0.0;
    });
  } else {
    make_layer(p, op);
  }
  return owned;
}

} // namespace

void ok(f2i_status status) {
  if (status != F2I_OK) throw std::runtime_error(std::string(f2i_status_name(status)) + ": " + f2i_last_error(nullptr));
}

const std::vector<OpHelp> &ops() {
  static const std::vector<OpHelp> list = [] {
    std::vector<OpHelp> all = {
        {"gemm", "MxKxN", "2048x2048x2048"},
        {"gemm_batch", "BATCHxMxKxN", "104x257x52x257"},
        {"gram", "ROWSxCOLS", "4096x4096"},
        {"cholesky_factor", "N", "4096"},
        {"cholesky_solve", "NxT", "2048x1024"},
        {"triangular_solve", "NxT", "2048x1024"},
        {"eigh", "N", "1000"},
        {"column_stats", "ROWSxCOLS", "750x15724"},
        {"standardize", "ROWSxCOLS", "750x15724"},
        {"pearson_columns", "ROWSxCOLS", "750x15724"},
        {"cosine_matrix", "NxMxD", "1000x1000x1664"},
        {"top_k", "ROWSxCOLSxK", "1000x10000x10"},
        {"elementwise", "ROWSxCOLS", "4096x4096"},
        {"gather", "ROWSxCOLS", "4096x4096"},
        {"cast", "ROWSxCOLS", "4096x4096"},
    };
    all.insert(all.end(), layer_ops().begin(), layer_ops().end());
    return all;
  }();
  return list;
}

std::unique_ptr<Problem> make_problem(f2i_context *context, const Options &options) {
  const auto help = std::find_if(ops().begin(), ops().end(), [&](const OpHelp &op) { return options.op == op.name; });
  if (help == ops().end()) throw std::invalid_argument("unknown op " + options.op);
  const std::string pattern = help->shape;
  const auto extents = static_cast<size_t>(std::count(pattern.begin(), pattern.end(), 'x')) + 1;
  if (options.shape.size() != extents) {
    throw std::invalid_argument(options.op + " expects --shape " + pattern + ", such as " + help->example);
  }
  return options.dtype == F2I_F64 ? make<double>(context, options) : make<float>(context, options);
}

} // namespace bench
