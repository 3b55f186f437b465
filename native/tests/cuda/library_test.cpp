// The library of CUDA kernels as it is built for users, opened by the core: on a machine with a GPU it describes one, on any
// other it says what is missing. F2I_CUDA_LIBRARY names it; without it nothing is tested.
#include <cstdio>
#include <cstdlib>

#include "check.hpp"
#include "f2i/f2i.h"

TEST(the_library_opens_and_says_what_there_is) {
  if (std::getenv("F2I_CUDA_LIBRARY") == nullptr) {
    std::puts("skipped: F2I_CUDA_LIBRARY is not set");
    return;
  }
  f2i_device_info info = F2I_INIT(f2i_device_info);
  const f2i_status status = f2i_device_describe(F2I_DEVICE_CUDA, 0, nullptr, &info);
  if (status == F2I_OK) {
    std::printf("%s, compute capability %d.%d\n", info.name, info.capability / 10, info.capability % 10);
    CHECK(info.count > 0 && info.capability >= 75 && info.memory_bytes > 0);
    return;
  }
  const std::string why = f2i_last_error(nullptr);
  std::printf("%s\n", why.c_str());
  CHECK_EQUAL(status, F2I_UNSUPPORTED);
  // One of the device's own words: the library itself was opened and is of this version.
  bool known = false;
  for (const char *const words : {"no NVIDIA driver here", "the NVIDIA driver", "the GPU is too old"}) {
    known = known || why.find(words) != std::string::npos;
  }
  CHECK(known);
}

CHECK_MAIN();
