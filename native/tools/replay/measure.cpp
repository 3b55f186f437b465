#include "measure.hpp"

namespace replay {

Timing measure(const std::function<void(int)> &call, const std::function<void()> &wait, int samples, double seconds) {
  const auto sample = [&](int calls) {
    const auto start = Clock::now();
    for (int i = 0; i < calls; ++i) call(i);
    wait();
    return since(start) / calls;
  };
  sample(1); // warm-up
  const double once = sample(1);
  const int calls = static_cast<int>(std::clamp(seconds / 20 / std::max(once, 1e-7), 1.0, 1000.0));
  std::vector<double> list;
  const auto begin = Clock::now();
  while (static_cast<int>(list.size()) < samples && (list.size() < 3 || since(begin) < seconds)) list.push_back(sample(calls));
  return Timing(std::move(list));
}

} // namespace replay
