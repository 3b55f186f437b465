// Kernels of Hopper's own instructions are used on a GPU once they have been right there (hopper_check.cu). A trial computes
// something of its own by them and by kernels that tests have executed, aside of what the context has enqueued, and
// compares.
#pragma once

#include <functional>
#include <string>

#include "cuda/aside.hpp"

namespace f2i::cuda::hopper {

enum class Trust { unknown, right, wrong };
struct Finding {
  Trust trust = Trust::unknown;
  std::string text; // why it is wrong
};

/// What a matrix is filled with: whole numbers of at most 7, or numbers between -1 and 1 of 24 bits.
enum class Entries { whole, any };

class Trial {
public:
  explicit Trial(Exec &ex) : ex_(ex), device_(device_of(ex)), aside_(ex) {}

  /// What one of the things does, on aside(): computes both ways, then compares. The functions below are for it.
  struct Thing {
    std::string name;    // "a product of bf16, 25 x 17 x 23"
    int64_t entries, ld; // of the result, and of its rows
    std::function<f2i_status()> enqueue;
  };
  /// Twice: what depends on who comes first may differ. `right` where both ways agree. `status`: what the op that asked
  /// ends with, where it cannot go on.
  Finding twice(const Thing &thing, f2i_status &status);

  Exec &aside() { return aside_; }
  /// A word that kernels set where they give up.
  uint32_t *alarm() { return aside_.words(); }
  /// Nothing was computed: the library or the driver has none of it.
  void is_absent() { absent_ = true; }
  /// Memory of NaN (of whole words): whoever reads or writes too far shows.
  void *block(int64_t bytes, f2i_status &status);
  /// Rows of `wide` entries of u8, f16, bf16 or f32 (of u8 one in five is 0), NaN or 255 between and behind them.
  void *matrix(int64_t high, int64_t wide, int64_t ld, f2i_dtype type, Entries entries, f2i_status &status);
  /// Everything from the first row to the last: between the rows, what was there before must be there still. Of several
  /// results, the place of this one's first entry behind those of the others.
  f2i_status compare(const float *found, const float *expected, int64_t count, float tolerance, int64_t place = 0);

private:
  Finding wait(const Thing &thing, f2i_status &status);
  std::string difference(const Thing &thing);

  Exec &ex_;
  CudaDevice &device_;
  Aside aside_;
  bool absent_ = false;
  uint32_t seed_ = 0;
  void *differences_ = nullptr;
};

} // namespace f2i::cuda::hopper
