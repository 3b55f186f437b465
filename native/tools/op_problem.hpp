// What the problems of f2i_bench are made of: matrices on a context, and one op on
// them as a few closures.
#pragma once

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <utility>

#include "problems.hpp"

namespace bench {

constexpr int samples = 64;

/// A matrix on the context and, for inputs, its copy here.
template <class T> struct Matrix {
  f2i_context *context;
  int64_t rows, cols;
  f2i_dtype dtype;
  std::vector<T> host;
  f2i_buffer *buffer = nullptr;

  Matrix(f2i_context *c, int64_t r, int64_t n, f2i_dtype type) : context(c), rows(r), cols(n), dtype(type) {
    ok(f2i_buffer_create(c, bytes(), &buffer));
  }
  ~Matrix() { f2i_buffer_destroy(context, buffer); }
  Matrix(const Matrix &) = delete;
  Matrix &operator=(const Matrix &) = delete;

  uint64_t bytes() const { return static_cast<uint64_t>(rows * cols) * sizeof(T); }
  f2i_matrix view() const { return {buffer, 0, rows, cols, cols, dtype, 0}; }
  double operator()(int64_t i, int64_t j) const { return static_cast<double>(host[static_cast<size_t>(i * cols + j)]); }

  void upload() { ok(f2i_buffer_write(context, buffer, 0, host.data(), bytes())); }
  void download() {
    host.resize(static_cast<size_t>(rows * cols));
    ok(f2i_buffer_read(context, buffer, 0, host.data(), bytes()));
    ok(f2i_sync(context, nullptr));
  }
};

template <class T> constexpr f2i_dtype dtype_of = F2I_F32;
template <> constexpr f2i_dtype dtype_of<double> = F2I_F64;
template <> constexpr f2i_dtype dtype_of<int32_t> = F2I_I32;

/// One op on matrices of T: made from closures, for each op is a few lines.
template <class T> class OpProblem final : public Problem {
public:
  OpProblem(f2i_context *context, const Options &options)
      : shape(options.shape), context_(context), random_(options.seed) {}

  const std::vector<int64_t> shape;
  double extent(size_t i) const { return static_cast<double>(shape[i]); }

  void enqueue() override { call_(); }
  double check() override { return check_(); }

  Matrix<T> &input(int64_t rows, int64_t cols, double scale = 1, double shift = 0) {
    Matrix<T> &m = output(rows, cols);
    std::normal_distribution<double> normal;
    m.host.resize(static_cast<size_t>(rows * cols));
    for (T &value : m.host) value = static_cast<T>(shift + scale * normal(random_));
    m.upload();
    return m;
  }
  Matrix<T> &output(int64_t rows, int64_t cols) {
    matrices_.push_back(std::make_unique<Matrix<T>>(context_, rows, cols, dtype_of<T>));
    bytes += static_cast<double>(matrices_.back()->bytes());
    return *matrices_.back();
  }
  Matrix<int32_t> &indices(int64_t rows, int64_t cols) {
    indices_ = std::make_unique<Matrix<int32_t>>(context_, rows, cols, F2I_I32);
    bytes += static_cast<double>(indices_->bytes());
    return *indices_;
  }

  /// Args is the op's struct, set up once; fn its entry point.
  template <class Args> void call(f2i_status (*fn)(f2i_context *, const Args *), const Args &args) {
    call_ = [this, fn, args] { ok(fn(context_, &args)); };
  }
  /// What the args point to lives as long as the problem.
  void keep(std::shared_ptr<void> data) { kept_.push_back(std::move(data)); }
  void checked_by(std::function<double()> check) { check_ = std::move(check); }

  int64_t below(int64_t limit) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(limit)); }
  f2i_context *context() const { return context_; }

  /// The largest of error() over random entries of y, in units of rounding of a
  /// sum of k terms whose magnitudes add up to `size`.
  using Entry = std::function<void(int64_t i, int64_t j, double &value, double &size)>;
  void compare_entries(Matrix<T> &y, double k, Entry entry) {
    checked_by([this, &y, k, entry = std::move(entry)] {
      y.download();
      double worst = 0;
      for (int s = 0; s < samples; ++s) {
        const int64_t i = below(y.rows), j = below(y.cols);
        double value = 0, size = 0;
        entry(i, j, value, size);
        worst = larger(worst, std::abs(y(i, j) - value) / (rounding(k) * std::max(size, 1e-300)));
      }
      return worst;
    });
  }

  static double rounding(double k) { return static_cast<double>(std::numeric_limits<T>::epsilon()) * (4 + std::sqrt(k)); }
  /// As std::max, but NaN stays.
  static double larger(double a, double b) { return b <= a ? a : b; }

private:
  f2i_context *const context_;
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<Matrix<T>>> matrices_;
  std::unique_ptr<Matrix<int32_t>> indices_;
  std::vector<std::shared_ptr<void>> kept_;
  std::function<void()> call_;
  std::function<double()> check_;
};

} // namespace bench
