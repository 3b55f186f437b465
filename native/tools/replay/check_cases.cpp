#include "check_cases.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <regex>

#include "player.hpp"

namespace replay {
namespace {

struct Count {
  int passed = 0, failed = 0, unsupported = 0;
  Verdict worst;
  std::string worst_case;
};

} // namespace

int check(f2i_context *context, const std::vector<std::string> &stems, const CheckOptions &options) {
  const std::regex filter(options.only);
  Count total;
  for (const std::string &stem : stems) {
    const Script script(stem);
    std::map<std::string, Count> families;
    for (const Case &each : script.cases()) {
      if (!std::regex_search(each.name, filter)) continue;
      Count &count = families[each.family()];
      const bool may_refuse = std::find(options.unsupported.begin(), options.unsupported.end(), each.family()) !=
                              options.unsupported.end();
      Verdict verdict;
      bool refused = false;
      f2i_status status = F2I_OK;
      try {
        verdict = Player(context, script, options.launches).play(each);
      } catch (const Failed &failed) {
        status = failed.status;
        refused = status == F2I_UNSUPPORTED;
        verdict = {INFINITY, failed.what()};
      }
      if (may_refuse && !refused && verdict.worst <= 1) verdict = {INFINITY, "does not refuse, yet is declared unsupported"};
      if (refused && may_refuse) {
        ++count.unsupported;
      } else if (verdict.worst <= 1) {
        ++count.passed;
        if (verdict.worst > count.worst.worst) count.worst = verdict, count.worst_case = each.name;
      } else {
        ++count.failed;
        std::printf("failed %s: %g times what is allowed: %s\n", each.name.c_str(), verdict.worst, verdict.where.c_str());
      }
      if (status == F2I_DEVICE_LOST) {
        std::printf("the device is lost: a process has no way back\n");
        return 1;
      }
    }
    for (const auto &[name, count] : families) {
      std::printf("%-40s %4d passed %3d failed %3d unsupported   worst error / tolerance %.3f%s%s\n", name.c_str(), count.passed,
                  count.failed, count.unsupported, count.worst.worst, count.worst_case.empty() ? "" : "   ",
                  count.worst_case.c_str());
      total.passed += count.passed, total.failed += count.failed, total.unsupported += count.unsupported;
    }
  }
  std::printf("%d passed, %d failed, %d unsupported\n", total.passed, total.failed, total.unsupported);
  return total.failed == 0 && total.passed > 0 ? 0 : 1;
}

} // namespace replay
