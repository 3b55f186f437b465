#include "limits.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace replay {

Limits::Limits(const std::string &file) {
  std::ifstream in(file);
  if (!in) throw std::invalid_argument("cannot read " + file);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const Json json = Json::parse(text);
  for (const char *type : {"f32", "f64", "tf32", "bf16", "f16"}) {
    const double gflops = json[std::string(type) + "Gflops"].number();
    if (gflops > 0) at_least(type, gflops);
  }
  copy_ = json["copyGBs"].number();
  if (!(copy_ > 0)) throw std::invalid_argument(file + ": expected a copyGBs above 0, found " + text);
}

void Limits::at_least(const std::string &type, double gflops) {
  for (auto &[name, value] : peaks_) {
    if (name != type) continue;
    value = std::max(value.number(), gflops);
    return;
  }
  peaks_.emplace_back(type, gflops);
}

double Limits::gflops(const std::string &type) const {
  for (const auto &[name, value] : peaks_)
    if (name == type) return value.number();
  return 0;
}

std::pair<double, const char *> Limits::floor(const std::string &type, double flops, double bytes) const {
  const double peak = gflops(type);
  const double arithmetic = peak > 0 ? flops / peak / 1e9 : 0, traffic = copy_ > 0 ? bytes / copy_ / 1e9 : 0;
  if (arithmetic == 0 && traffic == 0) return {0, ""};
  return arithmetic > traffic ? std::pair{arithmetic, "flops"} : std::pair{traffic, "bytes"};
}

} // namespace replay
