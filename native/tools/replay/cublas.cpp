#include "cublas.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <initializer_list>
#include <memory>
#include <random>
#include <regex>
#include <stdexcept>

#include "draw.hpp"
#include "measure.hpp"
#include "player.hpp"
#include "rows.hpp"
#include "values.hpp"

namespace replay {
namespace {

/// The first library of some names that can be opened, for the rest of the process.
class Library {
public:
  explicit Library(std::initializer_list<const char *> names) {
    for (const char *name : names)
      if (handle_ == nullptr) handle_ = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  }
  bool there() const { return handle_ != nullptr; }
  template <class F> F *find(const char *name) const {
    void *const symbol = dlsym(handle_, name);
    if (symbol == nullptr) throw std::runtime_error(std::string("the library has no ") + name);
    return reinterpret_cast<F *>(symbol);
  }

private:
  void *handle_ = nullptr;
};

void succeed(int status, const char *what) {
  if (status != 0) throw std::runtime_error(std::string(what) + ": error " + std::to_string(status));
}

/// Memory of the GPU through the driver, in the context that cuBLAS shares.
class Driver {
public:
  Driver(const Library &library, int index) : library_(library) {
    int device = 0;
    void *context = nullptr;
    succeed(library.find<int(unsigned)>("cuInit")(0), "cuInit");
    succeed(library.find<int(int *, int)>("cuDeviceGet")(&device, index), "cuDeviceGet");
    succeed(library.find<int(void **, int)>("cuDevicePrimaryCtxRetain")(&context, device), "cuDevicePrimaryCtxRetain");
    succeed(library.find<int(void *)>("cuCtxSetCurrent")(context), "cuCtxSetCurrent");
  }
  uint64_t allocate(size_t bytes) const {
    uint64_t pointer = 0;
    succeed(library_.find<int(uint64_t *, size_t)>("cuMemAlloc_v2")(&pointer, bytes), "cuMemAlloc");
    return pointer;
  }
  void free(uint64_t pointer) const { library_.find<int(uint64_t)>("cuMemFree_v2")(pointer); }
  void write(uint64_t to, const void *from, size_t bytes) const {
    succeed(library_.find<int(uint64_t, const void *, size_t)>("cuMemcpyHtoD_v2")(to, from, bytes), "cuMemcpyHtoD");
  }
  void read(void *to, uint64_t from, size_t bytes) const {
    succeed(library_.find<int(void *, uint64_t, size_t)>("cuMemcpyDtoH_v2")(to, from, bytes), "cuMemcpyDtoH");
  }
  void wait() const { succeed(library_.find<int()>("cuCtxSynchronize")(), "cuCtxSynchronize"); }

private:
  const Library &library_;
};

/// A matrix on the GPU and, for operands, its bytes here.
struct Matrix {
  const Driver &driver;
  int64_t rows, cols;
  f2i_dtype dtype;
  std::vector<char> host;
  uint64_t pointer;

  Matrix(const Driver &d, int64_t r, int64_t c, f2i_dtype type)
      : driver(d), rows(r), cols(c), dtype(type), host(static_cast<size_t>(r * c) * element_bytes(type)),
        pointer(d.allocate(host.size())) {}
  ~Matrix() { driver.free(pointer); }
  Matrix(const Matrix &) = delete;
  Matrix &operator=(const Matrix &) = delete;

  /// Random normals, drawn by all cores of the processor.
  Matrix &draw(uint64_t seed) {
    const Context context = open(DeviceOptions());
    f2i_buffer *buffer = nullptr;
    ok(f2i_buffer_create(context.get(), host.size(), &buffer));
    fill(context.get(), buffer, Draw{0, "normal", rows, cols, dtype, seed, 1});
    ok(f2i_buffer_read(context.get(), buffer, 0, host.data(), host.size()));
    ok(f2i_sync(context.get(), nullptr));
    driver.write(pointer, host.data(), host.size());
    return *this;
  }
  double operator()(int64_t i, int64_t j) const { return value_at(host.data(), dtype, static_cast<uint64_t>(i * cols + j)); }
  void *data() const { return reinterpret_cast<void *>(pointer); }
};

/// Types of operands and of arithmetic by their numbers in cuBLAS's headers.
struct Mode {
  const char *precision, *impl;
  f2i_dtype dtype;
  int operand, compute;
};
constexpr Mode modes[] = {
    {"f32", "cuBLAS", F2I_F32, 0, 68},                   // CUDA_R_32F, CUBLAS_COMPUTE_32F
    {"f32", "cuBLAS emulating by bf16x9", F2I_F32, 0, 78}, // CUBLAS_COMPUTE_32F_EMULATED_16BFX9
    {"tf32", "cuBLAS", F2I_F32, 0, 77},                  // CUBLAS_COMPUTE_32F_FAST_TF32
    {"bf16", "cuBLAS", F2I_BF16, 14, 68},                // CUDA_R_16BF
    {"f16", "cuBLAS", F2I_F16, 2, 68},                   // CUDA_R_16F
    {"f64", "cuBLAS", F2I_F64, 1, 70},                   // CUDA_R_64F, CUBLAS_COMPUTE_64F
};

using Gemm = int(void *, int, int, int, int, int, const void *, const void *, int, int, const void *, int, int, const void *,
                 void *, int, int, int, int);

/// cublasGemmStridedBatchedEx: planes follow each other.
using GemmOfPlanes = int(void *, int, int, int, int, int, const void *, const void *, int, int, long long, const void *, int, int,
                         long long, const void *, void *, int, int, long long, int, int, int);

class Peer {
public:
  Peer(const Library &driver, const Library &cublas, const DeviceOptions &device, const BenchOptions &options)
      : options_(options), rows_(device, options), limits_(options.limits.empty() ? Limits() : Limits(options.limits)),
        driver_(driver, device.index), gemm_(cublas.find<Gemm>("cublasGemmEx")),
        gemm_of_planes_(cublas.find<GemmOfPlanes>("cublasGemmStridedBatchedEx")) {
    int number = 0;
    succeed(cublas.find<int(void **)>("cublasCreate_v2")(&handle_), "cublasCreate");
    succeed(cublas.find<int(void *, int *)>("cublasGetVersion_v2")(handle_, &number), "cublasGetVersion");
    version_ = std::to_string(number);
  }

  void measure_case(const Case &each) {
    const Json shape = Json::parse(each.facts.at("shape"));
    const std::string dtype = Json::parse(each.facts.at("dtype")).string();
    const auto m = static_cast<int64_t>(shape["m"].number()), n = static_cast<int64_t>(shape["n"].number()),
               k = static_cast<int64_t>(shape["k"].number());
    const int64_t batch = shape["batch"].is_null() ? 1 : static_cast<int64_t>(shape["batch"].number());
    for (const Mode &mode : modes) {
      if ((dtype == "f64") != (mode.dtype == F2I_F64)) continue;
      try {
        row(each, shape, mode, m, n, k, batch);
      } catch (const std::runtime_error &error) {
        std::fprintf(stderr, "  no row for %s in %s: %s\n", mode.impl, mode.precision, error.what());
      }
    }
  }
  int wrong = 0;

private:
  void row(const Case &each, const Json &shape, const Mode &mode, int64_t m, int64_t n, int64_t k, int64_t batch) {
    std::fprintf(stderr, "%s, %s in %s\n", each.name.c_str(), mode.impl, mode.precision);
    const f2i_dtype out = mode.dtype == F2I_F64 ? F2I_F64 : F2I_F32;
    const double bytes = static_cast<double>(batch * (m * k + k * n)) * static_cast<double>(element_bytes(mode.dtype)) +
                         static_cast<double>(batch * m * n) * static_cast<double>(element_bytes(out));
    const int copies = static_cast<int>(std::clamp(static_cast<double>(options_.cold_bytes) / bytes, 1.0, 16.0));
    std::vector<std::unique_ptr<Matrix>> a, b, y;
    for (int c = 0; c < copies; ++c) {
      a.push_back(std::make_unique<Matrix>(driver_, batch * m, k, mode.dtype));
      b.push_back(std::make_unique<Matrix>(driver_, batch * k, n, mode.dtype));
      y.push_back(std::make_unique<Matrix>(driver_, batch * m, n, out));
      a.back()->draw(1), b.back()->draw(2);
    }
    const auto multiply = [&](int i) {
      const auto c = static_cast<size_t>(i);
      const float one = 1, zero = 0;
      const double one64 = 1, zero64 = 0;
      const bool wide = out == F2I_F64;
      // Row-major products are column-major ones of the transposes, in the other order.
      if (batch > 1) {
        succeed(gemm_of_planes_(handle_, 0, 0, static_cast<int>(n), static_cast<int>(m), static_cast<int>(k),
                                wide ? static_cast<const void *>(&one64) : &one, b[c]->data(), mode.operand, static_cast<int>(n),
                                k * n, a[c]->data(), mode.operand, static_cast<int>(k), m * k,
                                wide ? static_cast<const void *>(&zero64) : &zero, y[c]->data(), wide ? 1 : 0,
                                static_cast<int>(n), m * n, static_cast<int>(batch), mode.compute, -1),
                "cublasGemmStridedBatchedEx");
        return;
      }
      succeed(gemm_(handle_, 0, 0, static_cast<int>(n), static_cast<int>(m), static_cast<int>(k),
                    wide ? static_cast<const void *>(&one64) : &one, b[c]->data(), mode.operand, static_cast<int>(n), a[c]->data(),
                    mode.operand, static_cast<int>(k), wide ? static_cast<const void *>(&zero64) : &zero, y[c]->data(),
                    wide ? 1 : 0, static_cast<int>(n), mode.compute, -1),
              "cublasGemmEx");
    };
    multiply(0);
    driver_.wait();
    driver_.read(y[0]->host.data(), y[0]->pointer, y[0]->host.size());
    const double error = sampled_error(*a[0], *b[0], *y[0], m);
    const auto wait = [this] { driver_.wait(); };
    const Timing cold = measure([&](int i) { multiply(i % copies); }, wait, options_.samples, options_.seconds);
    const Timing warm = measure([&](int) { multiply(0); }, wait, options_.samples, options_.seconds);
    const bool passed = error < 0.1;
    if (!passed) ++wrong;
    Json::Object row = {{"op", "gemm"},
                        {"shape", shape},
                        {"dtype", Json::parse(each.facts.at("dtype"))},
                        {"precision", mode.precision},
                        {"impl", mode.impl},
                        {"version", version_},
                        {"backend", "cuda"},
                        {"cold", cold.json()},
                        {"warm", warm.json()},
                        {"copies", copies},
                        {"error", error},
                        {"oracle", "256 entries in double"},
                        {"passed", passed},
                        {"about", Json::parse(each.facts.at("about"))}};
    Rows::rate(row, limits_, mode.precision, 2.0 * static_cast<double>(batch) * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k), bytes,
               cold, passed);
    rows_.write(std::move(row));
  }

  /// The largest error of some entries over the largest of them.
  static double sampled_error(const Matrix &a, const Matrix &b, const Matrix &y, int64_t m) {
    std::mt19937_64 random(1);
    double worst = 0, largest = 0;
    for (int s = 0; s < 256; ++s) {
      const auto i = static_cast<int64_t>(random() % static_cast<uint64_t>(y.rows)), j = static_cast<int64_t>(random() % static_cast<uint64_t>(y.cols));
      double value = 0;
      const int64_t first = i / m * a.cols; // row of b: planes follow each other
      for (int64_t l = 0; l < a.cols; ++l) value += a(i, l) * b(first + l, j);
      worst = std::max(worst, error_over(value, y(i, j), 1)), largest = std::max(largest, std::abs(value));
    }
    return worst / largest;
  }

  const BenchOptions &options_;
  Rows rows_;
  const Limits limits_;
  const Driver driver_;
  Gemm *const gemm_;
  GemmOfPlanes *const gemm_of_planes_;
  void *handle_ = nullptr;
  std::string version_;
};

} // namespace

int bench_cublas(const DeviceOptions &device, const std::vector<std::string> &stems, const BenchOptions &options) {
  const Library driver{"libcuda.so.1"}, cublas{"libcublas.so.13", "libcublas.so.12", "libcublas.so.11", "libcublas.so"};
  if (!driver.there() || !cublas.there()) {
    std::fprintf(stderr, "not measured: cuBLAS (%s cannot be opened)\n", driver.there() ? "libcublas.so" : "libcuda.so.1");
    return 0;
  }
  Peer peer(driver, cublas, device, options);
  const std::regex filter(options.only);
  for (const std::string &stem : stems) {
    const Script script(stem);
    for (const Case &each : script.cases()) {
      const bool f32_or_f64 = each.name.rfind("gemm/f32/", 0) == 0 || each.name.rfind("gemm/f64/", 0) == 0;
      if (f32_or_f64 && std::regex_search(each.name, filter)) peer.measure_case(each);
    }
  }
  return peer.wrong == 0 ? 0 : 1;
}

} // namespace replay
