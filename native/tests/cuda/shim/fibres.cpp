// Blocks and threads of a launch as fibres.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <sys/mman.h>

#include "cuda_runtime.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace shim {

thread_local const Place *place = nullptr;

namespace {

constexpr int most_threads = 1024;
// Whole pages, and 17 lines more: stacks that differ by a power of two would share cache sets.
constexpr size_t stack_bytes = (256 << 10) + 17 * 64;

#if defined(__x86_64__)
/// Saves what a call preserves and the stack at *from, goes on with the stack `to`.
extern "C" void f2i_shim_switch(void **from, void *to);
asm(R"(
.text
.p2align 4
f2i_shim_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");
#endif

struct Fibre {
#if defined(__x86_64__)
  void *stack = nullptr; // its top while it does not run
#else
  ucontext_t state;
#endif
  char *memory = nullptr;
  void *fake_stack = nullptr; // of AddressSanitizer
};

struct Copy {
  void *to;
  const void *from;
  size_t bytes, used;
};

struct Thread : Place {
  Fibre fibre;
  unsigned exchanges = 0;
  bool ended = false;
  std::vector<Copy> open;                // not yet committed
  std::vector<std::vector<Copy>> groups; // committed, in order
};

struct Barrier {
  int arrived = 0;
  unsigned generation = 0;
  Site site;
};

struct Warp {
  Barrier barrier;
  int threads = 0;
  unsigned char slots[2][32][64];
};

class Machine {
public:
  // One a stream of kernels, so one a context: their first launches begin with either order in turn.
  Machine() : threads_(new Thread[most_threads]), warps_(new Warp[most_threads / 32]) {
    static std::atomic<unsigned> count{0};
    falling_ = (count++ & 1) == 0;
  }
  ~Machine() {
    if (stacks_ != nullptr) munmap(stacks_, stack_bytes * most_threads);
  }

  int launch(dim3 grid, dim3 block, size_t shared_bytes, Body body, const void *user) {
    error_.clear();
    home_bottom_ = nullptr; // of the system thread, which may be another one each time
    if (const char *const why = impossible_launch(grid, block, shared_bytes)) {
      error_ = why;
      return cudaErrorInvalidConfiguration;
    }
    const uint64_t count = uint64_t{block.x} * block.y * block.z, blocks = uint64_t{grid.x} * grid.y * grid.z;
    if (stacks_ == nullptr) {
      void *const memory = mmap(nullptr, stack_bytes * most_threads, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (memory == MAP_FAILED) return cudaErrorMemoryAllocation;
      stacks_ = static_cast<char *>(memory);
    }
    body_ = body;
    user_ = user;
    count_ = static_cast<int>(count);
    shared_bytes_ = shared_bytes;
    falling_ = !falling_;
    for (uint64_t i = 0; i < blocks && error_.empty(); ++i) {
      const uint64_t at = falling_ ? blocks - 1 - i : i;
      run_block(dim3(static_cast<unsigned>(at % grid.x), static_cast<unsigned>(at / grid.x % grid.y),
                     static_cast<unsigned>(at / grid.x / grid.y)),
                grid, block);
    }
    place = nullptr;
    return error_.empty() ? cudaSuccess : cudaErrorLaunchFailure;
  }

  const char *error() const { return error_.c_str(); }
  Thread &current() { return threads_[running_]; }
  void *shared(size_t bytes) {
    if (bytes > shared_bytes_) fail("more shared memory than the launch gives", Site::current());
    return shared_.get();
  }

  void block_barrier(const Site &site) { wait(barrier_, count_, site, "block"); }
  void warp_barrier(unsigned mask, const Site &site) {
    Warp &warp = warps_[current().warp];
    if (mask != 0xffffffffu || warp.threads != 32) fail("a warp's operation without all of its lanes", site);
    wait(warp.barrier, 32, site, "warp");
  }
  Exchange exchange(unsigned mask, const void *value, size_t bytes, const Site &site) {
    Thread &thread = current();
    Warp &warp = warps_[thread.warp];
    // Two sets of slots: nobody writes the one that others may still read.
    auto &slots = warp.slots[thread.exchanges++ & 1];
    std::memcpy(slots[thread.lane], value, bytes);
    warp_barrier(mask, site);
    return {&slots[0][0]};
  }

  [[noreturn]] void fail(const char *what, const Site &site) {
    const Thread &t = current();
    char text[512];
    std::snprintf(text, sizeof text, "%s: block (%u, %u, %u), thread (%u, %u, %u), %s:%u", what, t.block.x, t.block.y,
                  t.block.z, t.thread.x, t.thread.y, t.thread.z, file_of(site), site.line());
    error_ = text;
    leave(); // the other fibres are abandoned
    std::abort();
  }

private:
  static const char *file_of(const Site &site) {
    const char *const slash = std::strrchr(site.file_name(), '/');
    return slash != nullptr ? slash + 1 : site.file_name();
  }

  void run_block(dim3 at, dim3 grid, dim3 block) {
    shared_.reset(new unsigned char[shared_bytes_ + 1]);
    std::memset(shared_.get(), 0xff, shared_bytes_);
    barrier_ = {};
    const int warps = (count_ + 31) / 32;
    for (int w = 0; w < warps; ++w) {
      warps_[w].barrier = {};
      warps_[w].threads = std::min(32, count_ - 32 * w);
    }
    for (int i = 0; i < count_; ++i) {
      Thread &t = threads_[i];
      const auto u = static_cast<unsigned>(i);
      t.thread = dim3(u % block.x, u / block.x % block.y, u / block.x / block.y);
      t.block = at;
      t.block_extent = block;
      t.grid_extent = grid;
      t.lane = i % 32;
      t.warp = i / 32;
      t.exchanges = 0;
      t.ended = false;
      t.open.clear();
      t.groups.clear();
      t.fibre.memory = stacks_ + stack_bytes * static_cast<size_t>(i);
      prepare(t.fibre);
      next_[i] = falling_ ? (i + count_ - 1) % count_ : (i + 1) % count_;
      previous_[i] = falling_ ? (i + 1) % count_ : (i + count_ - 1) % count_;
    }
    live_ = count_;
    idle_ = 0;
    running_ = falling_ ? count_ - 1 : 0;
    place = &current();
    enter();
  }

  void wait(Barrier &barrier, int expected, const Site &site, const char *kind) {
    if (barrier.arrived > 0 && (barrier.site.line() != site.line() ||
                                std::strcmp(barrier.site.file_name(), site.file_name()) != 0)) {
      char text[200];
      std::snprintf(text, sizeof text, "threads of a %s at two barriers, the other at %s:%u", kind,
                    file_of(barrier.site), barrier.site.line());
      fail(text, site);
    }
    barrier.site = site;
    const unsigned generation = barrier.generation;
    if (++barrier.arrived == expected) {
      barrier.arrived = 0;
      ++barrier.generation;
      idle_ = 0;
      return;
    }
    while (barrier.generation == generation) {
      if (++idle_ > 2 * live_ + 2) fail("a barrier that not all threads reach", site);
      go_to(&barrier == &barrier_ ? next_[running_] : next_lane());
    }
  }
  /// Lanes take turns among themselves until their warp can go on: it runs as far ahead of the others as barriers
  /// let it, which shows what is read too late or written too early.
  int next_lane() const {
    const int first = running_ / 32 * 32, count = std::min(32, count_ - first), step = falling_ ? count - 1 : 1;
    for (int i = 1, lane = running_ - first; i < count; ++i) {
      lane = (lane + step) % count;
      if (!threads_[first + lane].ended) return first + lane;
    }
    return next_[running_];
  }

  /// A fibre's whole life.
  static void run_fibre();
  void finish() {
    const int gone = running_;
    threads_[gone].ended = true;
    idle_ = 0;
    if (--live_ == 0) leave();
    next_[previous_[gone]] = next_[gone];
    previous_[next_[gone]] = previous_[gone];
    go_to(next_[gone], true);
  }

#if defined(__x86_64__)
  void prepare(Fibre &fibre) {
    auto **top = reinterpret_cast<void **>(fibre.memory + stack_bytes - 64);
    *--top = nullptr; // keeps the stack of run_fibre aligned as after a call
    *--top = reinterpret_cast<void *>(&run_fibre);
    for (int i = 0; i < 6; ++i) *--top = nullptr; // the registers that a switch restores
    fibre.stack = top;
  }
  void switch_to(Fibre &from, Fibre &to) { f2i_shim_switch(&from.stack, to.stack); }
#else
  void prepare(Fibre &fibre) {
    getcontext(&fibre.state);
    fibre.state.uc_stack.ss_sp = fibre.memory;
    fibre.state.uc_stack.ss_size = stack_bytes - 64;
    fibre.state.uc_link = nullptr;
    makecontext(&fibre.state, &run_fibre, 0);
  }
  void switch_to(Fibre &from, Fibre &to) { swapcontext(&from.state, &to.state); }
#endif

  void change(Fibre &from, Fibre &to, bool ends) {
#if defined(__SANITIZE_ADDRESS__)
    const bool home = &to == &home_;
    __sanitizer_start_switch_fiber(ends ? nullptr : &from.fake_stack, home ? home_bottom_ : to.memory,
                                   home ? home_bytes_ : stack_bytes - 64);
#endif
    switch_to(from, to);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#else
    (void)ends;
#endif
  }
  void enter() { change(home_, current().fibre, false); }
  void leave() { change(current().fibre, home_, true); }
  void go_to(int thread, bool ends = false) {
    if (thread == running_) return;
    Fibre &from = current().fibre;
    running_ = thread;
    place = &current();
    change(from, current().fibre, ends);
  }

  const std::unique_ptr<Thread[]> threads_;
  const std::unique_ptr<Warp[]> warps_;
  char *stacks_ = nullptr;
  int next_[most_threads], previous_[most_threads]; // ring of the threads that have not ended
  int count_ = 0, live_ = 0, running_ = 0;
  int idle_ = 0; // turns since anything went on
  bool falling_;
  Barrier barrier_;
  std::unique_ptr<unsigned char[]> shared_;
  size_t shared_bytes_ = 0;
  Body body_ = nullptr;
  const void *user_ = nullptr;
  std::string error_;
  Fibre home_;
  const void *home_bottom_ = nullptr;
  size_t home_bytes_ = 0;
};

thread_local Machine *active = nullptr; // which runs on this system thread

Machine &own() {
  static thread_local Machine instance;
  return instance;
}
Machine &machine() { return active != nullptr ? *active : own(); }

void Machine::run_fibre() {
  Machine &m = machine();
#if defined(__SANITIZE_ADDRESS__)
  const void *bottom = nullptr;
  size_t bytes = 0;
  __sanitizer_finish_switch_fiber(nullptr, &bottom, &bytes);
  if (m.home_bottom_ == nullptr) m.home_bottom_ = bottom, m.home_bytes_ = bytes;
#endif
  m.body_(m.user_);
  m.finish();
  std::abort(); // nobody goes on with a fibre that has ended
}

void arrive(const std::vector<Copy> &copies) {
  for (const Copy &copy : copies) {
    std::memcpy(copy.to, copy.from, copy.used);
    std::memset(static_cast<char *>(copy.to) + copy.used, 0, copy.bytes - copy.used);
  }
}

} // namespace

void block_barrier(const Site &site) { machine().block_barrier(site); }
void warp_barrier(unsigned mask, const Site &site) { machine().warp_barrier(mask, site); }
Exchange exchange(unsigned mask, const void *value, size_t bytes, const Site &site) {
  return machine().exchange(mask, value, bytes, site);
}
void *shared(size_t bytes) { return machine().shared(bytes); }
void fail(const char *what, const Site &site) { machine().fail(what, site); }
void *make_machine() { return new Machine; }
void end_machine(void *machine) { delete static_cast<Machine *>(machine); }
int launch(dim3 grid, dim3 block, size_t shared_bytes, Body body, const void *user, void *on) {
  active = on != nullptr ? static_cast<Machine *>(on) : &own();
  const int error = active->launch(grid, block, shared_bytes, body, user);
  active = nullptr;
  return error;
}
const char *launch_error(void *on) { return on != nullptr ? static_cast<Machine *>(on)->error() : own().error(); }
const char *impossible_launch(dim3 grid, dim3 block, size_t shared_bytes) {
  const uint64_t count = uint64_t{block.x} * block.y * block.z, blocks = uint64_t{grid.x} * grid.y * grid.z;
  const bool possible = count > 0 && count <= most_threads && blocks > 0 && grid.x <= 0x7fffffffu && grid.y <= 65535 &&
                        grid.z <= 65535 && block.z <= 64 && shared_bytes <= (227u << 10);
  return possible ? nullptr : "a grid or block that no device takes";
}

void copy_later(void *to, const void *from, size_t bytes, size_t used) {
  if (reinterpret_cast<uintptr_t>(to) % bytes != 0 || (used > 0 && reinterpret_cast<uintptr_t>(from) % bytes != 0)) {
    fail("cp.async of addresses that are not aligned to its size", Site::current());
  }
  std::memset(to, 0xff, bytes); // it is undefined until it is waited for
  machine().current().open.push_back({to, from, bytes, used});
}
void commit_copies() {
  Thread &thread = machine().current();
  thread.groups.push_back(std::move(thread.open));
  thread.open.clear();
}
void wait_for_copies(int most_open) {
  auto &groups = machine().current().groups;
  while (groups.size() > static_cast<size_t>(most_open)) {
    arrive(groups.front());
    groups.erase(groups.begin());
  }
}

} // namespace shim
