// Short waits: a few microseconds of spinning before a thread goes to sleep.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace f2i {

inline void cpu_relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Spins until done() or about 20 microseconds have passed; true when done.
template <class F> bool spin_until(F &&done) {
  for (int i = 0; i < 600; ++i) {
    if (done()) return true;
    cpu_relax();
  }
  return done();
}

} // namespace f2i
