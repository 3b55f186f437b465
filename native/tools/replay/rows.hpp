// Rows of results on their way out: what they all say, and where they go.
#pragma once

#include <fstream>
#include <string>

#include "bench.hpp"
#include "timing.hpp"

namespace replay {

class Rows {
public:
  /// Throws std::invalid_argument if the file cannot be written to.
  Rows(const DeviceOptions &device, const BenchOptions &options);

  int threads() const;
  /// Prints a row and appends it to the file, with device, machine, commit and date.
  void write(Json::Object row);
  /// What follows from a timing: rates and the share of the roofline; without the rates of a wrong result.
  static void rate(Json::Object &row, const Limits &limits, const std::string &precision, double flops, double bytes,
                   const Timing &cold, bool passed);

private:
  std::string device_name() const;

  const DeviceOptions device_;
  const std::string commit_, machine_;
  const f2i_device_info info_;
  std::ofstream out_;
};

} // namespace replay
