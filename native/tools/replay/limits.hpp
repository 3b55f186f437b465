// What the machine can do at most, measured in the same run: the roofline.
#pragma once

#include <string>

#include "json.hpp"

namespace replay {

/// From what benchmarks/peers/limits.cpp or limits.cu printed, and from the fastest products of the run.
class Limits {
public:
  Limits() = default;
  /// Throws std::invalid_argument.
  explicit Limits(const std::string &file);

  /// A product of this type ran so fast: the peak is at least that.
  void at_least(const std::string &type, double gflops);
  /// 10^9 operations a second; 0 where nothing is known.
  double gflops(const std::string &type) const;
  /// Bytes read and written by a copy, 10^9 a second; 0 where nothing is known.
  double copy_gbs() const { return copy_; }

  /// Seconds that nothing can beat, and what sets them ("flops" or "bytes"); 0 where nothing is known.
  std::pair<double, const char *> floor(const std::string &type, double flops, double bytes) const;

private:
  Json::Object peaks_;
  double copy_ = 0;
};

} // namespace replay
