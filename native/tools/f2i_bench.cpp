// f2i_bench: times one op through the C ABI, on random data, and checks the
// result of the very run. A run whose result is wrong has no speed.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "problems.hpp"

namespace {

using bench::Options;
using Clock = std::chrono::steady_clock;

struct Usage : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

void print_help() {
  std::puts("f2i_bench --op OP --shape EXTENTS [options]\n\n"
            "  --dtype f32|f64   element type (f32)\n"
            "  --threads N       workers (0: all that this process may use)\n"
            "  --isa NAME        auto, portable, avx2 or avx512\n"
            "  --seconds S       time to measure for (1)\n"
            "  --seed N          of the random data (1)\n"
            "  --cold            clear the caches before every sample\n"
            "  --json            one JSON object on standard output\n\n"
            "Time is from the call to the end of the wait; data are in place. Ops and shapes:");
  for (const auto &op : bench::ops()) std::printf("  %-22s %-18s such as %s\n", op.name, op.shape, op.example);
}

double number(const std::string &text, const char *option) {
  char *end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value >= 0)) throw Usage(std::string(option) + ": expected a number, found " + text);
  return value;
}

std::vector<int64_t> extents(const std::string &text) {
  std::vector<int64_t> shape;
  for (size_t from = 0; from <= text.size();) {
    const size_t to = std::min(text.find('x', from), text.size());
    const double extent = number(text.substr(from, to - from), "--shape");
    if (extent < 1 || extent != std::floor(extent) || extent > 1e9) throw Usage("--shape: expected extents such as 64x32, found " + text);
    shape.push_back(static_cast<int64_t>(extent));
    from = to + 1;
  }
  return shape;
}

template <class T>
T choice(const std::string &text, const char *option, std::initializer_list<std::pair<const char *, T>> choices) {
  std::string expected;
  for (const auto &[name, value] : choices) {
    if (text == name) return value;
    expected += (expected.empty() ? "" : ", ") + std::string(name);
  }
  throw Usage(std::string(option) + ": expected one of " + expected + ", found " + text);
}

Options parse(int count, char **arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string option = arguments[i];
    if (option == "--json") {
      options.json = true;
      continue;
    }
    if (option == "--cold") {
      options.cold = true;
      continue;
    }
    if (option == "--help") {
      print_help();
      std::exit(0);
    }
    if (i + 1 == count) throw Usage("unknown option or missing value: " + option);
    const std::string value = arguments[++i];
    if (option == "--op") options.op = value;
    else if (option == "--shape") options.shape = extents(value);
    else if (option == "--threads") options.threads = static_cast<int32_t>(number(value, "--threads"));
    else if (option == "--seconds") options.seconds = number(value, "--seconds");
    else if (option == "--seed") options.seed = static_cast<uint64_t>(number(value, "--seed"));
    else if (option == "--dtype") options.dtype = choice<f2i_dtype>(value, "--dtype", {{"f32", F2I_F32}, {"f64", F2I_F64}});
    else if (option == "--isa") {
      options.isa = choice<f2i_isa>(value, "--isa", {{"auto", F2I_ISA_AUTO}, {"portable", F2I_ISA_PORTABLE},
                                                     {"avx2", F2I_ISA_AVX2}, {"avx512", F2I_ISA_AVX512}});
    } else throw Usage("unknown option " + option);
  }
  return options;
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// The value below which the given share of the sorted samples lies.
double quantile(const std::vector<double> &sorted, double share) {
  return sorted[static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size()))) - 1];
}

/// Writes more than any last-level cache holds.
void clear_caches() {
  static std::vector<char> sweep(size_t{256} << 20);
  static char value = 0;
  std::memset(sweep.data(), ++value, sweep.size());
}

int run(const Options &options) {
  f2i_context_desc desc = F2I_INIT(f2i_context_desc);
  desc.abi_version = F2I_ABI_VERSION;
  desc.threads = options.threads;
  desc.isa = options.isa;
  f2i_context *raw = nullptr;
  bench::ok(f2i_context_create(&desc, &raw));
  struct Destroy {
    void operator()(f2i_context *context) const { f2i_context_destroy(context); }
  };
  const std::unique_ptr<f2i_context, Destroy> context(raw);
  f2i_context_info info = F2I_INIT(f2i_context_info);
  bench::ok(f2i_context_get_info(raw, &info));
  const auto problem = bench::make_problem(raw, options);
  bench::ok(f2i_sync(raw, nullptr));

  const auto warm_up = Clock::now();
  for (int i = 0; i < 2 || seconds_since(warm_up) < 0.1; ++i) {
    problem->enqueue();
    bench::ok(f2i_sync(raw, nullptr));
  }
  std::vector<double> times, enqueue_times;
  const auto begin = Clock::now();
  while (times.size() < 5 || (seconds_since(begin) < options.seconds && times.size() < 100000)) {
    if (options.cold) clear_caches();
    const auto start = Clock::now();
    problem->enqueue();
    enqueue_times.push_back(seconds_since(start));
    bench::ok(f2i_sync(raw, nullptr));
    times.push_back(seconds_since(start));
  }
  const double error = problem->check();
  const bool right = error <= 1;
  std::sort(times.begin(), times.end());
  std::sort(enqueue_times.begin(), enqueue_times.end());
  const double median = quantile(times, 0.5), least = times.front(), p95 = quantile(times, 0.95);
  const double gflops = right ? problem->flops / median * 1e-9 : 0, gbs = right ? problem->bytes / median * 1e-9 : 0;

  std::string shape;
  for (const int64_t extent : options.shape) shape += (shape.empty() ? "" : "x") + std::to_string(extent);
  const char *const dtype = options.dtype == F2I_F64 ? "f64" : "f32";
  const char *const isas[] = {"auto", "portable", "avx2", "avx512"};
  const char *const cache = options.cold ? "cold" : "warm";
  if (options.json) {
    std::printf("{\"op\":\"%s\",\"shape\":\"%s\",\"dtype\":\"%s\",\"backend\":\"cpu\",\"isa\":\"%s\",\"threads\":%d,"
                "\"version\":\"%s\",\"cache\":\"%s\",\"samples\":%zu,\"minSeconds\":%.9g,\"p50Seconds\":%.9g,"
                "\"p95Seconds\":%.9g,\"enqueueMicroseconds\":%.3f,\"gflops\":%.3f,\"gbs\":%.3f,"
                "\"errorOverTolerance\":%.4g,\"pass\":%s}\n",
                options.op.c_str(), shape.c_str(), dtype, isas[info.isa], info.threads, f2i_version(), cache,
                times.size(), least, median, p95, quantile(enqueue_times, 0.5) * 1e6, gflops, gbs,
                std::isfinite(error) ? error : 1e308, right ? "true" : "false");
  } else {
    std::printf("%s %s %s, %s, %d thread%s, %s caches, %zu samples\n", options.op.c_str(), shape.c_str(), dtype,
                isas[info.isa], info.threads, info.threads == 1 ? "" : "s", cache, times.size());
    std::printf("  median %.3f ms, min %.3f ms, p95 %.3f ms, enqueue %.2f us\n", median * 1e3, least * 1e3, p95 * 1e3,
                quantile(enqueue_times, 0.5) * 1e6);
    if (right && gflops > 0) std::printf("  %.1f GFLOP/s, ", gflops);
    if (right) std::printf("%s%.2f GB/s\n", gflops > 0 ? "" : "  ", gbs);
    std::printf("  result %s (largest sampled error %.2f of the tolerance)\n", right ? "right" : "WRONG", error);
  }
  return right ? 0 : 1;
}

} // namespace

int main(int count, char **arguments) {
  try {
    return run(parse(count, arguments));
  } catch (const std::invalid_argument &error) {
    std::fprintf(stderr, "f2i_bench: %s (--help lists ops and options)\n", error.what());
    return 2;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "f2i_bench: %s\n", error.what());
    return 1;
  }
}
