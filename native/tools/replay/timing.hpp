// Order statistics of a list of seconds, as benchmarks/src/statistics.ts has them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include "json.hpp"

namespace replay {

using Clock = std::chrono::steady_clock;
inline double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Timing {
  std::vector<double> sorted;

  explicit Timing(std::vector<double> seconds) : sorted(std::move(seconds)) { std::sort(sorted.begin(), sorted.end()); }

  /// Linear interpolation between order statistics.
  double quantile(double q) const {
    if (sorted.empty()) return std::nan("");
    const double position = q * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<size_t>(position);
    const double next = sorted[std::min(below + 1, sorted.size() - 1)];
    return sorted[below] + (position - static_cast<double>(below)) * (next - sorted[below]);
  }
  double p50() const { return quantile(0.5); }
  Json json() const {
    return Json::Object{{"samples", static_cast<double>(sorted.size())},
                        {"min", quantile(0)},
                        {"p50", p50()},
                        {"p95", quantile(0.95)},
                        {"noisePercent", 100 * (quantile(0.75) - quantile(0.25)) / p50()}};
  }
};

} // namespace replay
