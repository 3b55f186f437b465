#include "runtime/cpu.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <thread>

#if F2I_X86
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif

namespace f2i {

#if F2I_X86
namespace {

struct Registers {
  unsigned a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf = 0) {
  Registers r;
  if (__get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d) == 0) return {};
  return r;
}

constexpr bool has(unsigned word, unsigned bit) { return (word >> bit & 1u) != 0; }

/// Which register states the operating system saves (XCR0).
unsigned saved_states() {
  unsigned low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

} // namespace

// Bits from the Intel 64 manual, volume 2A, CPUID; volume 1, 13.3 (XCR0).
f2i_isa best_isa() {
  const Registers basic = cpuid(1), extended = cpuid(7);
  const bool xsave = has(basic.c, 27);
  if (!xsave) return F2I_ISA_PORTABLE;
  const unsigned saved = saved_states();
  const bool ymm = (saved & 0x6u) == 0x6u, zmm = (saved & 0xe6u) == 0xe6u;
  const bool avx2 = ymm && has(basic.c, 28) && has(basic.c, 12) /* FMA */ && has(basic.c, 29) /* F16C */ &&
                    has(extended.b, 5);
  const bool avx512 = avx2 && zmm && has(extended.b, 16) /* F */ && has(extended.b, 17) /* DQ */ &&
                      has(extended.b, 30) /* BW */ && has(extended.b, 31) /* VL */;
  return avx512 ? F2I_ISA_AVX512 : avx2 ? F2I_ISA_AVX2 : F2I_ISA_PORTABLE;
}
#else
f2i_isa best_isa() { return F2I_ISA_PORTABLE; }
#endif

const char *isa_name(f2i_isa isa) {
  switch (isa) {
  case F2I_ISA_AUTO: return "auto";
  case F2I_ISA_PORTABLE: return "portable";
  case F2I_ISA_AVX2: return "avx2";
  case F2I_ISA_AVX512: return "avx512";
  default: return "unknown";
  }
}

#if defined(__linux__)
namespace {

/// Processors that a cgroup grants, from "quota period"; infinity without one.
double granted(const std::string &quota, double period) {
  if (quota.empty() || quota == "max" || quota[0] == '-' || period <= 0) return INFINITY;
  return std::stod(quota) / period;
}

std::string first_word(const std::string &path) {
  std::string word;
  std::ifstream(path) >> word;
  return word;
}

/// The tightest quota of this process's cgroup and its ancestors: version 2 has
/// cpu.max, version 1 has cpu.cfs_quota_us under the cpu controller.
double cgroup_processors() {
  double least = INFINITY;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::string controllers(1, ',');
    controllers.append(line, first + 1, second - first - 1).push_back(',');
    const bool v2 = controllers == ",,", cpu = controllers.find(",cpu,") != std::string::npos;
    if (!v2 && !cpu) continue;
    for (std::string path = line.substr(second + 1);; path.resize(path.rfind('/'))) {
      if (path == "/") path.clear();
      if (v2) {
        std::string quota;
        double period = 0;
        std::ifstream("/sys/fs/cgroup" + path + "/cpu.max") >> quota >> period;
        least = std::min(least, granted(quota, period));
      } else {
        const std::string folder = "/sys/fs/cgroup/cpu" + path;
        const std::string period = first_word(folder + "/cpu.cfs_period_us");
        least = std::min(least, granted(first_word(folder + "/cpu.cfs_quota_us"), period.empty() ? 0 : std::stod(period)));
      }
      if (path.find('/') == std::string::npos) break;
    }
  }
  return least;
}

} // namespace

int usable_processors() {
  int count = static_cast<int>(std::thread::hardware_concurrency());
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) count = CPU_COUNT(&set);
  try {
    const double granted = std::ceil(cgroup_processors());
    if (granted < count) count = static_cast<int>(granted);
  } catch (const std::exception &) { // an unreadable quota is no quota
  }
  return std::max(count, 1);
}
#else
int usable_processors() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }
#endif

} // namespace f2i
