#include "bench.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <regex>
#include <thread>

#include "measure.hpp"
#include "player.hpp"
#include "rows.hpp"
#include "stage.hpp"
#include "values.hpp"

namespace replay {
namespace {

f2i_precision precision_of(const std::string &name) {
  const char *const names[] = {"f32", "tf32", "bf16", "f16"};
  for (int i = 0; i < 4; ++i)
    if (name == names[i]) return static_cast<f2i_precision>(i);
  throw std::invalid_argument("--precisions: expected f32, tf32, bf16 or f16, found " + name);
}

/// What has products of f32 that a context may round.
bool rounds(const std::string &op) {
  for (const char *each : {"gemm", "linear", "conv2d", "attention", "voxels_to_tokens", "prior_sample"})
    if (op == each) return true;
  return false;
}

/// Twice the unit roundoff of what operands are rounded to.
double epsilon(const std::string &precision) { return std::ldexp(1, precision == "bf16" ? -7 : -10); }

uint64_t bytes_of(const Case &each) {
  uint64_t bytes = 0;
  for (const Step &step : each.steps)
    if (const Create *create = std::get_if<Create>(&step)) bytes += create->bytes;
  return std::max<uint64_t>(bytes, 1);
}

/// The largest error over the largest entry of a result, and over what its units allow.
struct Error {
  double relative = 0, over_tolerance = 0;
  const char *oracle = "";
};

class Bench {
public:
  Bench(const DeviceOptions &device, const BenchOptions &options)
      : device_(device), options_(options), rows_(device, options),
        limits_(options.limits.empty() ? Limits() : Limits(options.limits)) {
    // Products of earlier runs, the peers' too, may have come nearer to the peak than the loops of the limits.
    std::ifstream rows(options.out);
    for (std::string line; std::getline(rows, line);) {
      const Json row = Json::parse(line);
      if (row["op"].string() == "gemm" && row["backend"].string() == device.device) raise(row["precision"].string(), row["gflops"].number());
    }
  }

  int run(const std::vector<std::string> &stems) {
    const std::regex filter(options_.only);
    int matching = 0;
    for (const std::string &stem : stems) {
      const Script script(stem);
      std::vector<Case> cases = script.cases();
      // Products first: the fastest of them is the peak that others are held against.
      std::stable_partition(cases.begin(), cases.end(), [](const Case &each) { return each.family() == "gemm"; });
      for (const Case &each : cases) {
        if (!std::regex_search(each.name, filter)) continue;
        ++matching;
        if (fact(each, "flops").number() > options_.largest_flops) continue;
        const std::string op = fact(each, "op").string(), dtype = fact(each, "dtype").string();
        const bool choice = device_.on_gpu() && dtype == "f32" && rounds(op);
        for (const std::string &precision : options_.precisions) {
          if (precision == "f32" || choice) attempt(script, each, choice ? precision : dtype);
        }
      }
    }
    if (matching == 0) std::fprintf(stderr, "no case matches %s\n", options_.only.c_str());
    else if (written_ == 0) std::fprintf(stderr, "no row was written: of %d cases none could be measured\n", matching);
    return wrong_ > 0 ? 1 : written_ > 0 ? 0 : 3;
  }

private:
  static Json fact(const Case &each, const std::string &key) {
    const auto found = each.facts.find(key);
    return found == each.facts.end() ? Json() : Json::parse(found->second);
  }

  void raise(const std::string &precision, double gflops) {
    if (!options_.limits.empty() && gflops > 0) limits_.at_least(precision, gflops);
  }

  void attempt(const Script &script, const Case &each, const std::string &precision) {
    std::fprintf(stderr, "%s, %s\n", each.name.c_str(), precision.c_str());
    try {
      row(script, each, precision);
    } catch (const Failed &failed) {
      std::fprintf(stderr, "  no row: %s\n", failed.what());
      if (failed.status != F2I_UNSUPPORTED && failed.status != F2I_OUT_OF_MEMORY) ++wrong_;
      if (failed.status == F2I_DEVICE_LOST) throw;
    }
  }

  void row(const Script &script, const Case &each, const std::string &precision) {
    const bool named = precision != "f32" && precision != "f64" && fact(each, "dtype").string() == "f32";
    const Context context = open(device_, named ? precision_of(precision) : F2I_PRECISION_F32);
    const uint64_t bytes = bytes_of(each);
    const int copies = static_cast<int>(std::clamp<uint64_t>(options_.cold_bytes / bytes, 1, 64));
    Error error;
    std::vector<std::vector<double>> found;
    Timing cold{{}}, warm{{}};
    {
      Stage stage(context.get(), script, each, copies);
      const auto wait = [&] { ok(f2i_sync(context.get(), nullptr)); };
      stage.run();
      for (const Result &result : stage.results()) found.push_back(stage.numbers(result));
      cold = measure([&](int i) { stage.run(i % copies); }, wait, options_.samples, options_.seconds);
      warm = measure([&](int) { stage.run(0); }, wait, options_.samples, options_.seconds);
    }
    const bool checked = check(script, each, precision, context.get(), found, error);
    const bool passed = !checked || error.over_tolerance <= 1;
    if (!passed) ++wrong_;
    const double flops = fact(each, "flops").number(), moved = fact(each, "bytes").number();
    if (passed && fact(each, "op").string() == "gemm") raise(precision, flops / cold.p50() / 1e9);
    Json::Object row = {{"op", fact(each, "op")},
                        {"shape", fact(each, "shape")},
                        {"dtype", fact(each, "dtype")},
                        {"precision", precision},
                        {"impl", "ours"},
                        {"version", f2i_version()},
                        {"backend", device_.device},
                        {"threads", device_.on_gpu() ? Json() : Json(rows_.threads())},
                        {"cold", cold.json()},
                        {"warm", warm.json()},
                        {"copies", copies},
                        {"error", checked ? Json(error.relative) : Json()},
                        {"errorOverTolerance", checked ? Json(error.over_tolerance) : Json()},
                        {"oracle", checked ? Json(error.oracle) : Json()},
                        {"passed", checked ? Json(passed) : Json()},
                        {"about", fact(each, "about")}};
    Rows::rate(row, limits_, precision, flops, moved, cold, passed);
    rows_.write(std::move(row));
    ++written_;
  }

  /// Holds results against the same calls in double; false where that is what was measured.
  bool check(const Script &script, const Case &each, const std::string &precision, f2i_context *context,
             const std::vector<std::vector<double>> &found, Error &error) {
    const double flops = fact(each, "flops").number();
    const double cores = std::max(1u, std::thread::hardware_concurrency());
    const bool on_processor = !device_.on_gpu() || flops / (cores * 1e10) < options_.oracle_seconds;
    if (precision == "f64" && (!device_.on_gpu() || !on_processor)) return false; // the oracle itself
    DeviceOptions processor;
    processor.threads = device_.threads;
    const Context own = on_processor ? open(processor) : nullptr;
    Stage oracle(on_processor ? own.get() : context, script, each, 1, Stage::in_double);
    oracle.run();
    error.oracle = on_processor ? "f64 on the processor" : "f64 on the device";
    for (size_t r = 0; r < found.size(); ++r) {
      const Result &result = oracle.results()[r];
      const std::vector<double> expected = oracle.numbers(result);
      double largest = 0, worst = 0;
      for (size_t i = 0; i < expected.size(); ++i) {
        largest = std::max(largest, std::abs(expected[i]));
        const double difference = error_over(expected[i], found[r][i], 1);
        if (difference > worst) worst = difference;
      }
      // Operands that are rounded on their way into products: errors of a sum of random signs stay near one such
      // rounding of the largest entry, however many terms there are; 8 are allowed, and more of long chains of products.
      const bool rounded = fact(each, "dtype").string() == "f32" && precision != "f32" && result.dtype == F2I_F32;
      const double roundings = rounded ? std::max(8.0, std::sqrt(result.units) / 8) * epsilon(precision) : 0;
      const double allowed = (2 * unit_roundoff(result.dtype) * result.units + roundings) * largest;
      error.relative = std::max(error.relative, worst == 0 ? 0 : worst / largest);
      error.over_tolerance = std::max(error.over_tolerance, worst == 0 ? 0 : worst / allowed);
    }
    return true;
  }

  const DeviceOptions device_;
  const BenchOptions &options_;
  Rows rows_;
  Limits limits_;
  int wrong_ = 0, written_ = 0;
};

} // namespace

int bench(const DeviceOptions &device, const std::vector<std::string> &stems, const BenchOptions &options) {
  return Bench(device, options).run(stems);
}

} // namespace replay
