// Blocks and threads of a launch as fibres.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>

#include <sys/mman.h>

#include "machine.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace shim {

thread_local const Place *place = nullptr;

namespace {

// Whole pages, and 17 lines more: stacks that differ by a power of two would share cache sets.
constexpr size_t stack_bytes = (256 << 10) + 17 * 64;
/// Where shared memory begins, beyond a multiple of `pattern` bytes: nobody may count on more than 16.
constexpr uint32_t shared_begins = 1024 + 16, pattern = 1024;

thread_local Machine *active = nullptr; // which runs on this system thread

Machine &own() {
  static thread_local Machine instance;
  return instance;
}

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

} // namespace

Machine &machine() { return active != nullptr ? *active : own(); }

const char *file_of(const Site &site) {
  const char *const slash = std::strrchr(site.file_name(), '/');
  return slash != nullptr ? slash + 1 : site.file_name();
}

// One a stream of kernels, so one a context: their first launches begin with either order in turn.
Machine::Machine() : threads_(new Thread[most_fibres]), warps_(new Warp[most_fibres / 32 + most_fibres / 32]) {
  static std::atomic<unsigned> count{0};
  falling_ = (count++ & 1) == 0;
}
Machine::~Machine() {
  if (stacks_ != nullptr) munmap(stacks_, stack_bytes * most_fibres);
}

int Machine::launch(dim3 grid, dim3 block, size_t shared_bytes, int cluster, Body body, const void *user) {
  error_.clear();
  home_bottom_ = nullptr; // of the system thread, which may be another one each time
  if (const char *const why = impossible_launch(grid, block, shared_bytes, cluster)) {
    error_ = why;
    return cudaErrorInvalidConfiguration;
  }
  const uint64_t blocks = uint64_t{grid.x} * grid.y * grid.z;
  if (stacks_ == nullptr) {
    void *const memory = mmap(nullptr, stack_bytes * most_fibres, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return cudaErrorMemoryAllocation;
    stacks_ = static_cast<char *>(memory);
  }
  body_ = body;
  user_ = user;
  count_ = static_cast<int>(block.x * block.y * block.z);
  cluster_ = cluster;
  shared_bytes_ = shared_bytes;
  falling_ = !falling_;
  jumps = 0;
  const uint64_t clusters = blocks / static_cast<unsigned>(cluster);
  for (uint64_t i = 0; i < clusters && error_.empty(); ++i) run_cluster(falling_ ? clusters - 1 - i : i, grid, block);
  place = nullptr;
  return error_.empty() ? cudaSuccess : cudaErrorLaunchFailure;
}

Block &Machine::block(int rank, const Site &site) {
  if (rank < 0 || rank >= cluster_) fail("a block that the cluster has not", site);
  Block &block = blocks_[static_cast<size_t>(rank)];
  if (block.live == 0) fail("a block of the cluster that has ended", site);
  return block;
}
void *Machine::shared(size_t bytes) {
  if (bytes > shared_bytes_) fail("more shared memory than the launch gives", Site::current());
  return block().shared;
}
unsigned char *Machine::at(Block &block, uint32_t address, size_t bytes, const Site &site) {
  if (address < shared_begins || address + bytes > shared_begins + shared_bytes_) fail("an address beyond the shared memory", site);
  return block.shared + (address - shared_begins);
}
uint32_t Machine::address_of(const void *at, const Site &site) {
  const auto offset = static_cast<const unsigned char *>(at) - block().shared;
  if (offset < 0 || static_cast<size_t>(offset) > shared_bytes_) fail("an address that is not of the block's shared memory", site);
  return shared_begins + static_cast<uint32_t>(offset);
}

void Machine::warp_barrier(unsigned mask, const Site &site) {
  Warp &warp = *current().warp_of;
  if (mask != 0xffffffffu || warp.threads != 32) fail("a warp's operation without all of its lanes", site);
  wait(warp.barrier, 32, site, "warp");
}
Exchange Machine::exchange(unsigned mask, const void *value, size_t bytes, const Site &site) {
  Thread &thread = current();
  // Two sets of slots: nobody writes the one that others may still read.
  auto &slots = thread.warp_of->slots[thread.exchanges++ & 1];
  std::memcpy(slots[thread.lane], value, bytes);
  warp_barrier(mask, site);
  return {&slots[0][0]};
}
bool Machine::acts_for_warp() { // who came last goes on first
  Warp &warp = *current().warp_of;
  if (warp.handled == warp.barrier.generation) return false;
  warp.handled = warp.barrier.generation;
  return true;
}

void Machine::fail(const char *what, const Site &site) {
  const Thread &t = current();
  char text[512];
  std::snprintf(text, sizeof text, "%s: block (%u, %u, %u), thread (%u, %u, %u), %s:%u", what, t.block.x, t.block.y,
                t.block.z, t.thread.x, t.thread.y, t.thread.z, file_of(site), site.line());
  error_ = text;
  leave(); // the other fibres are abandoned
  std::abort();
}

void Machine::run_cluster(uint64_t index, dim3 grid, dim3 block) {
  const int warps = (count_ + 31) / 32, all = count_ * cluster_;
  blocks_.resize(static_cast<size_t>(cluster_));
  landings.clear();
  cluster_barrier_ = {};
  for (int rank = 0; rank < cluster_; ++rank) {
    Block &b = blocks_[static_cast<size_t>(rank)];
    b.barrier = {};
    std::fill(std::begin(b.named), std::end(b.named), Barrier{});
    b.rank = rank;
    b.live = count_;
    // Its end is that of the memory, so that AddressSanitizer sees it.
    void *memory = nullptr;
    if (posix_memalign(&memory, pattern, shared_begins % pattern + shared_bytes_ + 1) != 0) {
      error_ = "no memory for a block's shared memory";
      return;
    }
    b.memory.reset(static_cast<unsigned char *>(memory));
    b.shared = b.memory.get() + shared_begins % pattern;
    std::memset(b.shared, 0xff, shared_bytes_);
    b.warps = &warps_[static_cast<size_t>(rank * warps)];
    b.registers_left = 0;
    for (int w = 0; w < warps; ++w) {
      Warp &warp = b.warps[w];
      warp.barrier = {};
      warp.handled = 0;
      warp.threads = std::min(32, count_ - 32 * w);
      warp.products = {};
      warp.registers = std::min(65536 / count_ / 8 * 8, 248); // as many as the block's threads can have
    }
    const uint64_t at = index * static_cast<unsigned>(cluster_) + static_cast<unsigned>(rank);
    const dim3 place_of_block(static_cast<unsigned>(at % grid.x), static_cast<unsigned>(at / grid.x % grid.y),
                              static_cast<unsigned>(at / grid.x / grid.y));
    for (int i = 0; i < count_; ++i) {
      const int fibre = rank * count_ + i;
      Thread &t = threads_[fibre];
      const auto u = static_cast<unsigned>(i);
      t.thread = dim3(u % block.x, u / block.x % block.y, u / block.x / block.y);
      t.block = place_of_block;
      t.block_extent = block;
      t.grid_extent = grid;
      t.lane = i % 32;
      t.warp = i / 32;
      t.first_lane = fibre - t.lane;
      t.block_of = &b;
      t.warp_of = &b.warps[t.warp];
      t.exchanges = 0;
      t.ended = false;
      t.waits_for = nullptr;
      t.open.clear();
      t.groups.clear();
      t.fibre.memory = stacks_ + stack_bytes * static_cast<size_t>(fibre);
#if defined(__SANITIZE_ADDRESS__)
      __asan_unpoison_memory_region(t.fibre.memory, stack_bytes); // of a fibre that never returned
#endif
      prepare(t.fibre);
      const int after = rank * count_ + (i + 1) % count_, before = rank * count_ + (i + count_ - 1) % count_;
      next_[fibre] = falling_ ? before : after;
      previous_[fibre] = falling_ ? after : before;
    }
    b.turns = 0;
    b.last = rank * count_ + (falling_ ? count_ - 1 : 0);
  }
  live_ = all;
  idle_ = 0;
  running_ = falling_ ? all - 1 : 0;
  place = &current();
  enter();
}

void Machine::wait(Barrier &barrier, int expected, const Site &site, const char *kind) {
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
    progress();
    return;
  }
  // Lanes take turns among themselves first: a warp runs as far ahead of the others as barriers let it, which shows what
  // is read too late or written too early.
  bool lanes_first = &barrier == &current().warp_of->barrier;
  while (barrier.generation == generation) {
    if (++idle_ > 3 * round()) stuck("a barrier that not all threads reach", site);
    else go_to(lanes_first ? next_lane() : next_thread());
    lanes_first = false; // one of them may wait for other warps
  }
}
int Machine::next_lane() const {
  const Thread &thread = threads_[running_];
  const int first = thread.first_lane, count = thread.warp_of->threads, step = falling_ ? count - 1 : 1;
  for (int i = 1, lane = running_ - first; i < count; ++i) {
    lane = (lane + step) % count;
    if (!threads_[first + lane].ended) return first + lane;
  }
  return next_[running_];
}

/// A block, too, runs as far ahead of the others of its cluster as it can.
int Machine::next_thread() {
  Block &own_block = block();
  if (++own_block.turns <= own_block.live + 1) return next_[running_];
  own_block.turns = 0;
  own_block.last = next_[running_];
  return next_block();
}
int Machine::next_block() {
  const int rank = block().rank;
  for (int i = 1; i < cluster_; ++i) {
    const Block &other = blocks_[static_cast<size_t>((rank + (falling_ ? cluster_ - i : i)) % cluster_)];
    if (other.live > 0) return other.last;
  }
  return next_[running_];
}

void Machine::idle(const char *what, const Site &site) {
  if (++idle_ > 3 * round()) stuck(what, site);
  else go_to(next_thread());
}
void Machine::be_late() {
  for (idle_ = 0; idle_ < round();) {
    ++idle_;
    go_to(next_thread());
  }
  progress();
}
/// Each thread has had a turn, and none went on.
void Machine::stuck(const char *what, const Site &site) {
  idle_ = 0;
  if (land_some(*this, site)) return;
  for (int i = 0; i < count_ * cluster_; ++i) {
    const Thread &t = threads_[i];
    if (t.ended || t.waits_for == nullptr) continue;
    if (clock_goes_on() && ++jumps < 100) {
      clock += uint64_t{1} << 40; // more than anybody's patience
      return;
    }
    char text[400];
    std::snprintf(text, sizeof text, "thread %u of block %u waits for %s", t.thread.x, t.block.x,
                  describe_barrier(t.waits_for, t.parity).c_str());
    fail(text, site);
  }
  fail(what, site);
}

void Machine::finish() {
  const int gone = running_;
  threads_[gone].ended = true;
  progress();
  Block &own_block = block();
  if (--own_block.live == 0) end_block(own_block);
  if (--live_ == 0) leave();
  next_[previous_[gone]] = next_[gone];
  previous_[next_[gone]] = previous_[gone];
  go_to(own_block.live > 0 ? next_[gone] : next_block(), true);
}
void Machine::end_block(Block &block) {
  if (const char *const wrong = wrong_at_end(block, (count_ + 31) / 32)) fail(wrong, Site::current());
  for (const Landing &landing : landings) {
    if (landing.block == block.rank) fail("a block that ends while bulk copies to it are under way", Site::current());
  }
}

#if defined(__x86_64__)
void Machine::prepare(Fibre &fibre) {
  auto **top = reinterpret_cast<void **>(fibre.memory + stack_bytes - 64);
  *--top = nullptr; // keeps the stack of run_fibre aligned as after a call
  *--top = reinterpret_cast<void *>(&run_fibre);
  for (int i = 0; i < 6; ++i) *--top = nullptr; // the registers that a switch restores
  fibre.stack = top;
}
void Machine::switch_to(Fibre &from, Fibre &to) { f2i_shim_switch(&from.stack, to.stack); }
#else
void Machine::prepare(Fibre &fibre) {
  getcontext(&fibre.state);
  fibre.state.uc_stack.ss_sp = fibre.memory;
  fibre.state.uc_stack.ss_size = stack_bytes - 64;
  fibre.state.uc_link = nullptr;
  makecontext(&fibre.state, &run_fibre, 0);
}
void Machine::switch_to(Fibre &from, Fibre &to) { swapcontext(&from.state, &to.state); }
#endif

void Machine::change(Fibre &from, Fibre &to, bool ends) {
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
void Machine::go_to(int thread, bool ends) {
  if (thread == running_) return;
  Fibre &from = current().fibre;
  running_ = thread;
  place = &current();
  change(from, current().fibre, ends);
}

/// A fibre's whole life.
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

namespace {
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
int launch(dim3 grid, dim3 block, size_t shared_bytes, Body body, const void *user, void *on, int cluster) {
  active = on != nullptr ? static_cast<Machine *>(on) : &own();
  const int error = active->launch(grid, block, shared_bytes, cluster, body, user);
  active = nullptr;
  return error;
}
const char *launch_error(void *on) { return on != nullptr ? static_cast<Machine *>(on)->error() : own().error(); }
const char *impossible_launch(dim3 grid, dim3 block, size_t shared_bytes, int cluster) {
  const uint64_t count = uint64_t{block.x} * block.y * block.z, blocks = uint64_t{grid.x} * grid.y * grid.z;
  const bool possible = count > 0 && count <= most_threads && blocks > 0 && grid.x <= 0x7fffffffu && grid.y <= 65535 &&
                        grid.z <= 65535 && block.z <= 64 && shared_bytes <= (227u << 10);
  if (!possible) return "a grid or block that no device takes";
  const bool is_cluster = cluster >= 1 && cluster <= 8 && grid.x % static_cast<unsigned>(cluster) == 0;
  if (!is_cluster) return "clusters that do not divide the grid";
  return count * static_cast<unsigned>(cluster) <= most_fibres ? nullptr : "more threads of a cluster than the shim has";
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
