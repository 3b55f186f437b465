// A benchmark peer: one BLAS library or oneDNN, opened at run time, driven over standard input.
//
//   blas_peer LIBRARY            (the thread count and core type come from the library's own environment variables)
//
// Commands, one a line; each answer is one line:
//   prepare OP DTYPE EXTENTS...  fills operands with random numbers     -> ok | unsupported
//   run                          one call                               -> seconds
//   flush                        writes 64 MiB: the next run is cold    -> ok
//   quit
//
// OP and EXTENTS: gemm m n k [batch: one call each] | gram n k | cholesky_factor n | triangular_solve n t | cholesky_solve n t | eigh n
#include <dlfcn.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <iostream>
#include <random>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

namespace {

void *library = nullptr;

template <class F> F symbol(const char *name) { return reinterpret_cast<F>(dlsym(library, name)); }

// The values of the CBLAS enums are fixed by the standard.
enum { RowMajor = 101, NoTrans = 111, Trans = 112, Upper = 121, Lower = 122, NonUnit = 131, Left = 141 };

template <class T> struct Names;
template <> struct Names<float> {
  static constexpr const char *gemm = "cblas_sgemm", *syrk = "cblas_ssyrk", *trsm = "cblas_strsm";
  static constexpr const char *potrf = "spotrf_", *potrs = "spotrs_", *syevd = "ssyevd_";
};
template <> struct Names<double> {
  static constexpr const char *gemm = "cblas_dgemm", *syrk = "cblas_dsyrk", *trsm = "cblas_dtrsm";
  static constexpr const char *potrf = "dpotrf_", *potrs = "dpotrs_", *syevd = "dsyevd_";
};

template <class T> using Gemm = void (*)(int, int, int, int, int, int, T, const T *, int, const T *, int, T, T *, int);
template <class T> using Syrk = void (*)(int, int, int, int, int, T, const T *, int, T, T *, int);
template <class T> using Trsm = void (*)(int, int, int, int, int, int, int, T, const T *, int, T *, int);
template <class T> using Potrf = void (*)(const char *, const int *, T *, const int *, int *);
template <class T> using Potrs =
    void (*)(const char *, const int *, const int *, const T *, const int *, T *, const int *, int *);
template <class T> using Syevd = void (*)(const char *, const char *, const int *, T *, const int *, T *, T *,
                                          const int *, int *, const int *, int *);

/// oneDNN's product, row-major as well.
using DnnlGemm = int (*)(char, char, int64_t, int64_t, int64_t, float, const float *, int64_t, const float *, int64_t,
                         float, float *, int64_t);

struct DnnlVersion {
  int major, minor, patch;
};

template <class T> std::vector<T> random_values(size_t count) {
  static std::mt19937 generator(7);
  std::normal_distribution<float> normal;
  std::vector<T> values(count);
  for (T &value : values) value = static_cast<T>(normal(generator));
  return values;
}

/// Symmetric and comfortably positive definite without a matrix product: small noise and a heavy diagonal.
template <class T> std::vector<T> random_spd(int n) {
  std::vector<T> a = random_values<T>(size_t(n) * n);
  for (int i = 0; i < n; i++) {
    for (int j = 0; j < i; j++) a[size_t(j) * n + i] = a[size_t(i) * n + j];
    a[size_t(i) * n + i] = T(2 * n);
  }
  return a;
}

/// What `run` does: returns the seconds of the call alone, without restoring the operands.
using Call = std::function<double()>;

double seconds_of(const std::function<void()> &body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

template <class T> Call prepare(const std::string &op, std::istream &in) {
  int m = 0, n = 0, k = 0, t = 0, batch = 1;
  const auto zeros = [](size_t count) { return std::vector<T>(count, T(0)); };
  if (op == "gemm" && in >> m >> n >> k) {
    if (!(in >> batch)) batch = 1;
    const auto planes = [=](size_t plane) { return plane * static_cast<size_t>(batch); };
    const auto each = [=](auto &a, auto &b, auto &c, auto multiply) {
      return seconds_of([&] {
        for (size_t p = 0; p < size_t(batch); ++p) {
          multiply(a.data() + p * m * k, b.data() + p * k * n, c.data() + p * m * n);
        }
      });
    };
    if (auto dnnl = symbol<DnnlGemm>("dnnl_sgemm"); dnnl && std::is_same_v<T, float>) {
      return [=, a = random_values<float>(planes(size_t(m) * k)), b = random_values<float>(planes(size_t(k) * n)),
              c = std::vector<float>(planes(size_t(m) * n))]() mutable {
        return each(a, b, c, [&](auto *x, auto *w, auto *y) { dnnl('N', 'N', m, n, k, 1, x, k, w, n, 0, y, n); });
      };
    }
    auto gemm = symbol<Gemm<T>>(Names<T>::gemm);
    if (!gemm) return {};
    return [=, a = random_values<T>(planes(size_t(m) * k)), b = random_values<T>(planes(size_t(k) * n)),
            c = zeros(planes(size_t(m) * n))]() mutable {
      return each(a, b, c, [&](auto *x, auto *w, auto *y) {
        gemm(RowMajor, NoTrans, NoTrans, m, n, k, 1, x, k, w, n, 0, y, n);
      });
    };
  }
  if (op == "gram" && in >> n >> k) {
    auto syrk = symbol<Syrk<T>>(Names<T>::syrk);
    if (!syrk) return {};
    return [=, a = random_values<T>(size_t(n) * k), c = zeros(size_t(n) * n)]() mutable {
      return seconds_of([&] {
        syrk(RowMajor, Lower, NoTrans, n, k, 1, a.data(), k, 0, c.data(), n);
        // Our op stores both triangles; so does the peer here.
        for (int i = 0; i < n; i += 64)
          for (int j = 0; j <= i; j += 64)
            for (int r = i; r < i + 64 && r < n; r++)
              for (int s = j; s < j + 64 && s < r; s++) c[size_t(s) * n + r] = c[size_t(r) * n + s];
      });
    };
  }
  if (op == "cholesky_factor" && in >> n) {
    auto potrf = symbol<Potrf<T>>(Names<T>::potrf);
    if (!potrf) return {};
    return [=, a = random_spd<T>(n), y = zeros(size_t(n) * n)]() mutable {
      y = a;
      int info = 0;
      // Column-major upper is row-major lower.
      return seconds_of([&] { potrf("U", &n, y.data(), &n, &info); });
    };
  }
  if (op == "triangular_solve" && in >> n >> t) {
    auto trsm = symbol<Trsm<T>>(Names<T>::trsm);
    if (!trsm) return {};
    return [=, a = random_spd<T>(n), b = random_values<T>(size_t(n) * t), y = zeros(size_t(n) * t)]() mutable {
      y = b;
      return seconds_of([&] { trsm(RowMajor, Left, Lower, NoTrans, NonUnit, n, t, 1, a.data(), n, y.data(), t); });
    };
  }
  if (op == "cholesky_solve" && in >> n >> t) {
    auto trsm = symbol<Trsm<T>>(Names<T>::trsm);
    if (!trsm) return {};
    return [=, a = random_spd<T>(n), b = random_values<T>(size_t(n) * t), y = zeros(size_t(n) * t)]() mutable {
      y = b;
      return seconds_of([&] {
        trsm(RowMajor, Left, Lower, NoTrans, NonUnit, n, t, 1, a.data(), n, y.data(), t);
        trsm(RowMajor, Left, Lower, Trans, NonUnit, n, t, 1, a.data(), n, y.data(), t);
      });
    };
  }
  if (op == "eigh" && in >> n) {
    auto syevd = symbol<Syevd<T>>(Names<T>::syevd);
    if (!syevd) return {};
    return [=, a = random_spd<T>(n), y = zeros(size_t(n) * n), w = zeros(n)]() mutable {
      y = a;
      int info = 0, query = -1, integer_size = 0;
      T work_size = 0;
      syevd("V", "U", &n, y.data(), &n, w.data(), &work_size, &query, &integer_size, &query, &info);
      int length = int(work_size), integers = integer_size;
      std::vector<T> work(length);
      std::vector<int> integer_work(integers);
      return seconds_of([&] {
        syevd("V", "U", &n, y.data(), &n, w.data(), work.data(), &length, integer_work.data(), &integers, &info);
      });
    };
  }
  return {};
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2 || !(library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL))) {
    std::fprintf(stderr, "%s\n", argc == 2 ? dlerror() : "usage: blas_peer LIBRARY");
    return 1;
  }
  std::string description = argv[1];
  if (auto config = symbol<const char *(*)()>("openblas_get_config")) description = config();
  else if (auto version = symbol<const char *(*)()>("bli_info_get_version_str")) description = std::string("BLIS ") + version();
  else if (auto dnnl = symbol<const DnnlVersion *(*)()>("dnnl_version")) {
    const DnnlVersion &v = *dnnl();
    description = "oneDNN " + std::to_string(v.major) + "." + std::to_string(v.minor) + "." + std::to_string(v.patch);
  }
  std::cout << description << std::endl;

  Call call;
  std::vector<char> cache(64u << 20);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream in(line);
    std::string command, op, dtype;
    in >> command;
    if (command == "prepare" && in >> op >> dtype) {
      call = nullptr; // frees the operands of the last case first
      call = dtype == "f32" ? prepare<float>(op, in) : dtype == "f64" ? prepare<double>(op, in) : Call();
      std::cout << (call ? "ok" : "unsupported") << std::endl;
    } else if (command == "run" && call) {
      std::cout << call() << std::endl;
    } else if (command == "flush") {
      std::memset(cache.data(), int(line.size()) + cache[0], cache.size());
      std::cout << "ok" << std::endl;
    } else if (command == "quit") {
      break;
    } else {
      std::cout << "unsupported" << std::endl;
    }
  }
}
