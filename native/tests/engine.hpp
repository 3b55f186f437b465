// What tests of the C ABI share: a context that checks every status, matrices
// with odd strides, offsets and guarded padding, and a sweep over every
// instruction set and several thread counts.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "check.hpp"
#include "f2i/f2i.h"

namespace engine {

/// The device of every context: the processor, or what F2I_TEST_DEVICE names (cuda).
inline f2i_device test_device() {
  const char *const name = std::getenv("F2I_TEST_DEVICE");
  return name != nullptr && std::strcmp(name, "cuda") == 0 ? F2I_DEVICE_CUDA : F2I_DEVICE_CPU;
}

/// Throws when a call fails that should not.
inline void ok(f2i_status status) {
  if (status == F2I_OK) return;
  throw std::runtime_error(std::string(f2i_status_name(status)) + ": " + f2i_last_error(nullptr));
}

class Engine {
public:
  explicit Engine(f2i_isa isa = F2I_ISA_AUTO, int threads = 2, uint64_t limit = 0,
                  f2i_precision precision = F2I_PRECISION_F32) {
    f2i_context_desc desc = F2I_INIT(f2i_context_desc);
    desc.abi_version = F2I_ABI_VERSION;
    desc.isa = isa;
    desc.threads = threads;
    desc.memory_limit = limit;
    desc.device = test_device();
    desc.precision = precision;
    ok(f2i_context_create(&desc, &context_));
  }
  ~Engine() { destroy(); }
  Engine(const Engine &) = delete;
  Engine &operator=(const Engine &) = delete;

  operator f2i_context *() const { return context_; }
  void destroy() { f2i_context_destroy(std::exchange(context_, nullptr)); }
  f2i_failure sync() const {
    f2i_failure failure = F2I_INIT(f2i_failure);
    const f2i_status status = f2i_sync(context_, &failure);
    CHECK_EQUAL(status, failure.status);
    return failure;
  }
  f2i_context_info info() const {
    f2i_context_info info = F2I_INIT(f2i_context_info);
    ok(f2i_context_get_info(context_, &info));
    return info;
  }
  f2i_buffer *create(uint64_t bytes) const {
    f2i_buffer *buffer = nullptr;
    ok(f2i_buffer_create(context_, bytes, &buffer));
    return buffer;
  }

private:
  f2i_context *context_ = nullptr;
};

template <class T> constexpr f2i_dtype dtype_of = -1;
template <> inline constexpr f2i_dtype dtype_of<float> = F2I_F32;
template <> inline constexpr f2i_dtype dtype_of<double> = F2I_F64;
template <> inline constexpr f2i_dtype dtype_of<int32_t> = F2I_I32;
template <> inline constexpr f2i_dtype dtype_of<uint16_t> = F2I_F16; // bits
template <> inline constexpr f2i_dtype dtype_of<uint8_t> = F2I_U8;

/// Where a matrix lies in its buffer, in elements.
struct Place {
  int64_t padding = 0; // ld - cols
  int64_t offset = 0;
};

/// A matrix of the caller's, with everything around it in its buffer.
template <class T> struct Matrix {
  int64_t rows, cols, ld, offset;
  std::vector<T> memory;

  Matrix(int64_t r, int64_t c, Place place = {})
      : rows(r), cols(c), ld(std::max<int64_t>(c + place.padding, 1)), offset(place.offset),
        memory(static_cast<size_t>(std::max<int64_t>(offset + r * ld, 1)), guard()) {}

  /// Fills what is around the elements; a kernel must neither read nor write it.
  static T guard() {
    if constexpr (std::is_floating_point_v<T>) return std::numeric_limits<T>::quiet_NaN();
    return static_cast<T>(77);
  }
  T &operator()(int64_t i, int64_t j) { return memory[static_cast<size_t>(offset + i * ld + j)]; }
  T operator()(int64_t i, int64_t j) const { return memory[static_cast<size_t>(offset + i * ld + j)]; }

  Matrix &fill(T value) {
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < cols; ++j) (*this)(i, j) = value;
    return *this;
  }
  /// Normal numbers; the same for the same seed.
  Matrix &random(unsigned seed, double scale = 1, double shift = 0) {
    std::mt19937_64 generator(seed);
    std::normal_distribution<double> normal;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < cols; ++j) (*this)(i, j) = static_cast<T>(shift + scale * normal(generator));
    return *this;
  }
  std::vector<T> elements() const {
    std::vector<T> list;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < cols; ++j) list.push_back((*this)(i, j));
    return list;
  }
};

/// A matrix on a context for as long as the object lives.
template <class T> class Device {
public:
  Device(const Engine &engine, const Matrix<T> &host) : engine_(engine), shape_(host) {
    const uint64_t bytes = host.memory.size() * sizeof(T);
    buffer_ = engine.create(bytes);
    ok(f2i_buffer_write(engine, buffer_, 0, host.memory.data(), bytes));
  }
  ~Device() { f2i_buffer_destroy(engine_, buffer_); }
  Device(const Device &) = delete;
  Device &operator=(const Device &) = delete;

  f2i_matrix view() const {
    return {buffer_, static_cast<uint64_t>(shape_.offset) * sizeof(T), shape_.rows, shape_.cols, shape_.ld, dtype_of<T>, 0};
  }
  operator f2i_matrix() const { return view(); }
  f2i_buffer *buffer() const { return buffer_; }

  /// Waits, and checks that nothing around the matrix was written.
  Matrix<T> download() const {
    Matrix<T> host = shape_;
    ok(f2i_buffer_read(engine_, buffer_, 0, host.memory.data(), host.memory.size() * sizeof(T)));
    ok(f2i_sync(engine_, nullptr));
    std::vector<bool> inside(host.memory.size());
    for (int64_t i = 0; i < host.rows; ++i)
      for (int64_t j = 0; j < host.cols; ++j) inside[static_cast<size_t>(host.offset + i * host.ld + j)] = true;
    for (size_t i = 0; i < inside.size(); ++i) {
      if (!inside[i] && std::memcmp(&host.memory[i], &shape_.memory[i], sizeof(T)) != 0) {
        check::report(false, __FILE__, __LINE__, "wrote outside of a matrix, at element " + std::to_string(i));
        break;
      }
    }
    return host;
  }

private:
  const Engine &engine_;
  const Matrix<T> shape_;
  f2i_buffer *buffer_ = nullptr;
};

inline const char *name_of(f2i_isa isa) {
  const char *const names[] = {"auto", "portable", "avx2", "avx512"};
  return names[isa];
}

/// Runs body on every instruction set with 1, 2, 3 and 8 threads. Its result is
/// checked once per instruction set and must not change by a bit with threads. On
/// a device it runs twice, and must be the same: its threads have no fixed order.
template <class T>
void everywhere(const std::string &what, const std::function<std::vector<T>(const Engine &)> &body,
                const std::function<std::string(const std::vector<T> &)> &wrong,
                f2i_precision precision = F2I_PRECISION_F32) {
  const bool device = test_device() != F2I_DEVICE_CPU;
  for (f2i_isa isa = F2I_ISA_PORTABLE; isa <= (device ? F2I_ISA_PORTABLE : f2i_best_isa()); ++isa) {
    std::vector<T> first;
    for (const int threads : device ? std::vector<int>{1, 2} : std::vector<int>{1, 2, 3, 8}) {
      const Engine engine(isa, threads, 0, precision);
      const std::string where = what + (device ? " [device, time " + std::to_string(threads) + "]"
                                               : std::string(" [") + name_of(isa) + ", " + std::to_string(threads) + " threads]");
      std::vector<T> found;
      try {
        found = body(engine);
      } catch (const std::exception &error) {
        return check::report(false, __FILE__, __LINE__, where + ": " + error.what());
      }
      if (threads == 1) {
        first = found;
        const std::string problem = wrong(found);
        check::report(problem.empty(), __FILE__, __LINE__, where + ": " + problem);
      } else {
        const bool same = found.size() == first.size() &&
                          std::memcmp(found.data(), first.data(), found.size() * sizeof(T)) == 0;
        check::report(same, __FILE__, __LINE__, where + ": not bit-equal to the result of one thread");
      }
    }
  }
}

/// Compares with expected values in double: |found - expected| <= tolerance times
/// scale (per entry). "" or the worst entry.
template <class T>
std::string compare(const std::vector<T> &found, const std::vector<double> &expected, double tolerance,
                    const std::vector<double> &scale = {}) {
  if (found.size() != expected.size()) return "wrong size";
  double worst = 0;
  size_t at = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const double value = static_cast<double>(found[i]);
    double error = std::abs(value - expected[i]) / (scale.empty() ? std::max(1.0, std::abs(expected[i])) : scale[i]);
    if (std::isnan(expected[i]) && std::isnan(value)) error = 0;
    if (value == expected[i]) error = 0; // equal infinities
    if (!(error <= worst)) {
      worst = error;
      at = i;
      if (std::isnan(error)) break;
    }
  }
  if (worst <= tolerance) return "";
  return "entry " + std::to_string(at) + ": expected " + std::to_string(expected[at]) + ", found " +
         std::to_string(static_cast<double>(found[at])) + " (error " + std::to_string(worst / tolerance) +
         " of the tolerance)";
}

/// Machine epsilon of the type, in units of which tolerances are given.
template <class T> constexpr double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());

} // namespace engine
