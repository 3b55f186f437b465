// The machine's limits, measured: fused multiply-adds a second (registers only) and copied bytes a second.
//
//   limits THREADS   -> {"f32Gflops":...,"f64Gflops":...,"copyGBs":...}   (best of several tries)
//
// Built with -O3 -march=native.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// 64-byte vectors: two 32-byte operations where the CPU has no wider ones.
template <class T> struct Vector { typedef T type __attribute__((vector_size(64))); };

constexpr int chains = 12;

/// Independent chains of fused multiply-adds, enough to cover their latency. Named variables, because compilers
/// spill an array of accumulators.
template <class T> void multiply_add(long rounds) {
  using V = typename Vector<T>::type;
  const V factor = V{} + T(0.999999), term = V{} + T(1e-6);
  V a = term, b = term, c = term, d = term, e = term, f = term, g = term, h = term, i = term, j = term, k = term,
    l = term;
  for (long round = 0; round < rounds; round++) {
    a = a * factor + term, b = b * factor + term, c = c * factor + term, d = d * factor + term;
    e = e * factor + term, f = f * factor + term, g = g * factor + term, h = h * factor + term;
    i = i * factor + term, j = j * factor + term, k = k * factor + term, l = l * factor + term;
    asm volatile("" : "+v"(a), "+v"(b), "+v"(c), "+v"(d), "+v"(e), "+v"(f));
    asm volatile("" : "+v"(g), "+v"(h), "+v"(i), "+v"(j), "+v"(k), "+v"(l));
  }
}

/// Runs body(thread) on all threads at once; returns the seconds from the common start to the last end.
template <class F> double together(int threads, F body) {
  std::atomic<int> ready{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> pool;
  for (int t = 0; t < threads; t++)
    pool.emplace_back([&, t] {
      ready++;
      while (!go) {}
      body(t);
    });
  while (ready != threads) {}
  const auto start = Clock::now();
  go = true;
  for (auto &thread : pool) thread.join();
  return since(start);
}

template <class T> double gflops(int threads) {
  double best = 0;
  for (int attempt = 0; attempt < 5; attempt++) {
    constexpr long rounds = 20'000'000;
    const double seconds = together(threads, [&](int) { multiply_add<T>(rounds); });
    best = std::max(best, threads * double(rounds) * chains * (64 / sizeof(T)) * 2 / seconds / 1e9);
  }
  return best;
}

double copy_gbs(int threads) {
  constexpr size_t bytes = 256u << 20;
  std::vector<std::vector<char>> from(threads), to(threads);
  for (int t = 0; t < threads; t++) from[t].assign(bytes, 1), to[t].assign(bytes, 2);
  double best = 0;
  for (int attempt = 0; attempt < 5; attempt++) {
    const double seconds = together(threads, [&](int t) { std::memcpy(to[t].data(), from[t].data(), bytes); });
    best = std::max(best, 2.0 * bytes * threads / seconds / 1e9); // read and written
  }
  return best;
}

} // namespace

int main(int argc, char **argv) {
  const int threads = argc > 1 ? std::max(1, std::atoi(argv[1])) : 1;
  std::printf("{\"f32Gflops\":%.1f,\"f64Gflops\":%.1f,\"copyGBs\":%.2f}\n", gflops<float>(threads),
              gflops<double>(threads), copy_gbs(threads));
}
