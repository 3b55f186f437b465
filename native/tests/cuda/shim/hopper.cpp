// A stand-in for src/cuda/gemm_hopper.cu: products by mma.sync, spoilt in the ways in which such kernels go wrong, to see
// that the check before their use (src/cuda/hopper_check.cu) finds each of them. F2I_SHIM_HOPPER chooses one; without it
// the device has no such kernels.
//
//   wgmma     no stand-in: the kernels themselves, on the emulated instructions (asynchronous.hpp)
//   right     as mma.sync        absent    no code for the device
//   wrong     one entry is off   wrong_f32 of the products of f32 alone
//   beside    writes between the rows of y
//   wrong_attention   products as mma.sync, an entry of attention is off
//   changing  every second time one entry is off
//   refused   the launch fails   faults    the kernel does
//   stalls    gives up waiting   stalls_later    not in the check, but in work
//   hangs     does not end before somebody says so (hold_hopper)
//   stops     is right; the host's side of the check goes on when somebody says so
#include "hopper.hpp"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "cuda/attention_hopper.hpp"
#include "cuda/gemm.cuh"
#include "cuda/patience.cuh"

namespace {
std::atomic<bool> held{false}, hanging{false};

void wait_while_held() {
  while (held.load()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}
std::atomic<int> times{0};

std::string behaviour() {
  const char *const text = std::getenv("F2I_SHIM_HOPPER");
  return text != nullptr ? text : "";
}
} // namespace

void shim::hold_hopper(bool hold) {
  held.store(hold);
  while (!hold && hanging.load()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}
bool shim::hopper_hangs() { return hanging.load(); }

namespace f2i::cuda::hopper {
namespace {

void add_kernel(float *at, float what) { *at += what; }
void write_kernel(float *at, float what) { *at = what; }
void give_up_kernel(uint32_t *alarm) { *alarm = static_cast<uint32_t>(GaveUp::multiplying); }
void fault_kernel() { shim::fail("an illegal instruction", shim::Site::current()); }
void hang_kernel() {
  hanging.store(true);
  wait_while_held();
  hanging.store(false);
}

Extents extents(mma::Kind, int processors) { return {8, 8, 4, 2, processors / 2, 16}; }

bool suits(Exec &ex, const Product<float> &p, mma::Kind kind, bool) {
  if (behaviour().empty() || device_of(ex).capability() != 90 || p.planes * p.groups != 1) return false;
  if (p.a.is_patches || p.b.is_patches || (kind == mma::Kind::f32 && (p.a.half() || p.b.half()))) return false;
  return p.m >= 4 && p.n >= 4 && p.k >= 4;
}

bool multiply(Exec &ex, const char *name, const Product<float> &p, mma::Kind kind, uint32_t *alarm, f2i_status &status) {
  const std::string how = behaviour();
  const bool in_work = std::string(name) == "gemm";
  float *const last = p.finish.y + (p.m - 1) * p.finish.ldy;
  if (how == "stops" && !in_work) wait_while_held();
  if (how == "absent") return false;
  if (how == "refused") {
    status = ex.fail(F2I_INTERNAL, "kernel %s, Hopper: invalid argument", name);
    return true;
  }
  status = product_by_mma(ex, name, p, kind);
  if (status != F2I_OK) return true;
  const bool is_off = how == "wrong" || (how == "wrong_f32" && kind == mma::Kind::f32) || (how == "changing" && ++times % 2 == 0);
  if (is_off) status = F2I_LAUNCH(ex, add_kernel, dim3(1), dim3(1), 0, last, 1.0f);
  if (how == "beside") status = F2I_LAUNCH(ex, write_kernel, dim3(1), dim3(1), 0, p.finish.y + p.n, 1.0f);
  if (how == "faults") status = F2I_LAUNCH(ex, fault_kernel, dim3(1), dim3(1), 0);
  if (how == "hangs") status = F2I_LAUNCH(ex, hang_kernel, dim3(1), dim3(1), 0);
  if (how == "stalls" || (how == "stalls_later" && in_work)) {
    status = F2I_LAUNCH(ex, give_up_kernel, dim3(1), dim3(1), 0, alarm);
  }
  return true;
}

std::chrono::milliseconds longest_check() {
  // What does not end is not waited for; everything else is, however slow the machine.
  return behaviour() == "hangs" ? std::chrono::milliseconds(100) : std::chrono::milliseconds(std::chrono::hours(1));
}

} // namespace

const Path &path() {
  static constexpr Path stand_in{extents, suits, multiply, longest_check};
  return behaviour() == "wgmma" ? by_wgmma() : stand_in;
}

namespace {

bool suits_attention(Exec &ex, const attend::Problem<float> &p, bool) {
  return behaviour() == "wrong_attention" && device_of(ex).capability() == 90 && p.n >= 4 && p.m >= 4;
}
bool attend(Exec &ex, const attend::Problem<float> &p, const attend::Halves &halves, uint32_t *, f2i_status &status) {
  status = attend::by_mma(ex, p, halves);
  if (status == F2I_OK) status = F2I_LAUNCH(ex, add_kernel, dim3(1), dim3(1), 0, &p.y(p.n - 1, 0), 0.0625f);
  return true;
}

} // namespace

const AttentionPath &attention_path() {
  static constexpr AttentionPath stand_in{suits_attention, attend};
  return behaviour() == "wgmma" ? attention_by_wgmma() : stand_in;
}

} // namespace f2i::cuda::hopper
