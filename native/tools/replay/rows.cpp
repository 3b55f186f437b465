#include "rows.hpp"

#include <cstdio>
#include <ctime>
#include <stdexcept>

namespace replay {
namespace {

std::string now() {
  const std::time_t time = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&time));
  return text;
}

} // namespace

Rows::Rows(const DeviceOptions &device, const BenchOptions &options)
    : device_(device), commit_(options.commit), machine_(options.machine), info_(describe(device)) {
  if (options.out.empty()) return;
  out_.open(options.out, std::ios::app);
  if (!out_) throw std::invalid_argument("cannot write to " + options.out);
}

int Rows::threads() const { return device_.threads > 0 ? device_.threads : info_.processors; }

/// The GPU, or the processor's model and threads.
std::string Rows::device_name() const {
  if (device_.on_gpu()) return info_.name;
  std::ifstream models("/proc/cpuinfo");
  std::string line, model = "processor";
  while (std::getline(models, line)) {
    if (line.rfind("model name", 0) != 0 || line.find(": ") == std::string::npos) continue;
    model = line.substr(line.find(": ") + 2);
    break;
  }
  return model + "; " + info_.name + ", " + std::to_string(threads()) + (threads() == 1 ? " thread" : " threads");
}

void Rows::rate(Json::Object &row, const Limits &limits, const std::string &precision, double flops, double bytes,
                const Timing &cold, bool passed) {
  const auto [floor, by] = limits.floor(precision, flops, bytes);
  const auto right = [passed](double value) { return passed ? Json(value) : Json(); };
  row.emplace_back("gflops", right(flops / cold.p50() / 1e9));
  row.emplace_back("gbs", right(bytes / cold.p50() / 1e9));
  row.emplace_back("flopsPerByte", flops / bytes);
  row.emplace_back("rooflinePercent", floor > 0 ? right(100 * floor / cold.p50()) : Json());
  row.emplace_back("rooflineBy", floor > 0 ? Json(by) : Json());
}

void Rows::write(Json::Object row) {
  row.emplace_back("device", device_name());
  if (!machine_.empty()) row.emplace_back("machine", machine_);
  row.emplace_back("commit", commit_);
  row.emplace_back("date", now());
  const std::string line = Json(std::move(row)).text();
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
  if (out_.is_open()) out_ << line << '\n' << std::flush;
}

} // namespace replay
