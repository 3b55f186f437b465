// What the parts of the shim's machine share: fibres.cpp runs threads and their barriers; barriers.cpp, bulk_copies.cpp and
// warpgroups.cpp what is asynchronous on Hopper (asynchronous.hpp).
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "asynchronous.hpp"
#include "cuda.h"

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace shim {

constexpr int most_threads = 1024, most_fibres = 2048; // of a block, of a cluster

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

struct Barrier {
  int arrived = 0;
  unsigned generation = 0;
  Site site;
};

/// Sums of a warp that products under way write: 16 rows.
struct Accumulator {
  float *of_lane[32];
  int columns = 0, open = 0; // products under way
  std::vector<float> sums;
};

/// Registers that products have written, as they were at the last fence.
struct Fenced {
  float *of_lane[32];
  std::vector<float> values; // lane after lane
};

/// A product under way, a warp's part of it.
struct Operation {
  Accumulator *into = nullptr;
  Multiplication what;
  uint64_t a = 0, b = 0; // descriptors
  bool add = false, has_read = false;
  std::vector<float> of_a, of_b; // rows of terms; terms of columns
};

/// A warp's products.
struct Products {
  std::list<Accumulator> accumulators;
  std::vector<Operation> issued;              // in no group yet
  std::deque<std::vector<Operation>> groups;
  bool fenced = false;
  std::list<Fenced> known;
  uint64_t history = 0; // of a warpgroup the same
};

struct Warp {
  Barrier barrier;
  unsigned handled = 0; // the last generation of the barrier that somebody acted for
  int threads = 0;
  unsigned char slots[2][32][64];
  Products products;
  int registers = 0; // of each thread
};

struct Block {
  Barrier barrier;
  Barrier named[16];
  int expected[16] = {}; // threads of a named barrier's phase
  int rank = 0, live = 0;
  int turns = 0; // of its threads since any of them went on
  int last = 0;  // the fibre that ran last
  std::unique_ptr<unsigned char, void (*)(void *)> memory{nullptr, std::free};
  unsigned char *shared = nullptr;
  int registers_left = 0; // that setmaxnreg has given back
  Warp *warps = nullptr;
};

struct Thread : Place {
  Fibre fibre;
  unsigned exchanges = 0;
  bool ended = false;
  int first_lane = 0; // the fibre of its warp's lane 0
  Block *block_of = nullptr;
  Warp *warp_of = nullptr;
  std::vector<Copy> open;                // cp.async, not yet committed
  std::vector<std::vector<Copy>> groups; // committed, in order
  const uint64_t *waits_for = nullptr;   // a barrier's phase of this parity
  uint32_t parity = 0;
};

/// Some rows of a box, or bytes, on their way to a block.
struct Landing {
  CUtensorMap map;
  const unsigned char *from = nullptr; // bytes, `rows` of 16, without a map
  int at[5];
  int first_row = 0, rows = 0;
  int block = 0;
  uint32_t to = 0, barrier = 0; // addresses there
};

class Machine {
public:
  Machine();
  ~Machine();

  int launch(dim3 grid, dim3 block, size_t shared_bytes, int cluster, Body body, const void *user);
  const char *error() const { return error_.c_str(); }

  Thread &current() { return threads_[running_]; }
  Block &block() { return *current().block_of; }
  /// Of the cluster; fails where it has ended, or never was.
  Block &block(int rank, const Site &site);
  int cluster() const { return cluster_; }
  size_t shared_bytes() const { return shared_bytes_; }
  void *shared(size_t bytes);
  /// Where an address of a block's shared memory is; fails where `bytes` do not lie within it.
  unsigned char *at(Block &block, uint32_t address, size_t bytes, const Site &site);
  uint32_t address_of(const void *at, const Site &site);

  void block_barrier(const Site &site) { wait(block().barrier, count_, site, "block"); }
  void cluster_barrier(const Site &site) { wait(cluster_barrier_, count_ * cluster_, site, "cluster"); }
  void warp_barrier(unsigned mask, const Site &site);
  Exchange exchange(unsigned mask, const void *value, size_t bytes, const Site &site);
  /// After a barrier of the warp: whether the thread is the one that acts for it.
  bool acts_for_warp();

  [[noreturn]] void fail(const char *what, const Site &site);
  /// Something happened that others may wait for.
  void progress() { idle_ = block().turns = 0; }
  /// Others go on. Where nobody can, something asynchronous happens; where nothing is under way, the launch fails.
  void idle(const char *what, const Site &site);
  /// Everybody else goes on as far as possible.
  void be_late();

  /// Whatever is asynchronous happens late and out of order, or (in every other launch) as early as it can.
  bool late() const { return falling_; }
  std::minstd_rand random;
  std::vector<Landing> landings;
  uint64_t clock = 0; // nanoseconds, of the waits that end
  int jumps = 0;      // of the clock, in this launch

private:
  void run_cluster(uint64_t index, dim3 grid, dim3 block);
  void wait(Barrier &barrier, int expected, const Site &site, const char *kind);
  /// Turns after which each thread had one.
  int round() const { return live_ + 4 * cluster_; }
  int next_lane() const;
  int next_thread();
  int next_block();
  void stuck(const char *what, const Site &site);
  static void run_fibre();
  void finish();
  void end_block(Block &block);
  void prepare(Fibre &fibre);
  void switch_to(Fibre &from, Fibre &to);
  void change(Fibre &from, Fibre &to, bool ends);
  void enter() { change(home_, current().fibre, false); }
  void leave() { change(current().fibre, home_, true); }
  void go_to(int thread, bool ends = false);

  const std::unique_ptr<Thread[]> threads_;
  const std::unique_ptr<Warp[]> warps_;
  char *stacks_ = nullptr;
  int next_[most_fibres], previous_[most_fibres]; // a ring a block of the threads that have not ended
  int count_ = 0, cluster_ = 1, live_ = 0, running_ = 0;
  int idle_ = 0; // turns since anything went on
  bool falling_;
  std::vector<Block> blocks_;
  Barrier cluster_barrier_;
  size_t shared_bytes_ = 0;
  Body body_ = nullptr;
  const void *user_ = nullptr;
  std::string error_;
  Fibre home_;
  const void *home_bottom_ = nullptr;
  size_t home_bytes_ = 0;
};

/// The one that runs on this system thread.
Machine &machine();
const char *file_of(const Site &site);

// ---- barriers.cpp
void complete_bytes(Machine &m, Block &block, uint32_t barrier, uint32_t bytes, const Site &site);
/// What a barrier waits for, in words.
std::string describe_barrier(const uint64_t *barrier, uint32_t parity);

/// Whether waits that nothing can end are to end by the clock (streams.hpp, lose_arrival).
bool clock_goes_on();

// ---- bulk_copies.cpp
/// Some of what is under way arrives; false where nothing is.
bool land_some(Machine &m, const Site &site);
void land(Machine &m, const Landing &landing, const Site &site);

// ---- warpgroups.cpp
/// What a block's products and registers must be when it ends; why not, or null.
const char *wrong_at_end(const Block &block, int warps);

} // namespace shim
