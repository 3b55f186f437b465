// Clusters, and barriers in shared memory that count arrivals and bytes (PTX ISA, "mbarrier").
#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "machine.hpp"

namespace shim {
namespace {

/// The 64 bits of a barrier. On a GPU they are nobody's business; here they are such that undefined memory is no barrier.
struct Count {
  uint32_t expected = 0; // arrivals of a phase, up to 2^20 - 1
  uint32_t pending = 0;  // of this phase
  int32_t bytes = 0;     // that are still to come, within +-(2^20 - 1)
  uint32_t phase = 0;    // its parity

  static constexpr uint32_t most = (1u << 20) - 1;
  static constexpr uint64_t mark = uint64_t{1} << 62;

  uint64_t bits() const {
    return mark | uint64_t{phase} << 61 | uint64_t{static_cast<uint32_t>(bytes + (1 << 20))} << 40 | uint64_t{pending} << 20 |
           expected;
  }
  /// False: no barrier.
  bool read(uint64_t bits) {
    expected = static_cast<uint32_t>(bits) & most;
    pending = static_cast<uint32_t>(bits >> 20) & most;
    bytes = static_cast<int32_t>(bits >> 40 & 0x1fffff) - (1 << 20);
    phase = static_cast<uint32_t>(bits >> 61) & 1;
    return bits >> 62 == 1 && expected > 0 && pending <= expected;
  }
};

/// Changes the barrier at an address of a block, and begins the next phase where this one is complete.
template <class F> void change(Machine &m, Block &block, uint32_t address, const Site &site, const F &f) {
  if (address % 8 != 0) m.fail("a barrier that is not aligned to 8 bytes", site);
  unsigned char *const at = m.at(block, address, 8, site);
  uint64_t bits;
  std::memcpy(&bits, at, 8);
  Count count;
  if (!count.read(bits)) m.fail("a barrier that was not initialised", site);
  f(count);
  if (std::abs(count.bytes) > static_cast<int>(Count::most)) m.fail("a barrier that expects more than 2^20 - 1 bytes", site);
  if (count.pending == 0 && count.bytes == 0) {
    count.phase ^= 1;
    count.pending = count.expected;
  }
  bits = count.bits();
  std::memcpy(at, &bits, 8);
  m.progress();
}

void arrive(Machine &m, Block &block, uint32_t address, uint32_t bytes, const Site &site) {
  change(m, block, address, site, [&](Count &count) {
    if (count.pending == 0) m.fail("more arrivals at a barrier than its phase expects", site);
    count.bytes += static_cast<int32_t>(bytes);
    --count.pending;
  });
}

std::atomic<int> arrivals_to_lose{0}; // the arrival that is lost, counted down; negative: it was
} // namespace

void lose_arrival(int call) { arrivals_to_lose.store(call); }
bool clock_goes_on() { return arrivals_to_lose.load() < 0; }

int cluster_rank() { return machine().block().rank; }
void cluster_barrier(Site site) { machine().cluster_barrier(site); }
uint32_t shared_address(const void *at, Site site) { return machine().address_of(at, site); }
uint64_t now() { return machine().clock; }

void init_barrier(uint64_t *barrier, uint32_t arrivals, Site site) {
  Machine &m = machine();
  const uint32_t address = m.address_of(barrier, site);
  if (address % 8 != 0) m.fail("a barrier that is not aligned to 8 bytes", site);
  if (arrivals == 0 || arrivals > Count::most) m.fail("a barrier of no or too many arrivals", site);
  Count count;
  count.expected = count.pending = arrivals;
  const uint64_t bits = count.bits();
  std::memcpy(m.at(m.block(), address, 8, site), &bits, 8);
}

void expect_bytes(uint64_t *barrier, uint32_t bytes, Site site) {
  Machine &m = machine();
  if (bytes > Count::most) m.fail("a barrier that expects more than 2^20 - 1 bytes", site);
  arrive(m, m.block(), m.address_of(barrier, site), bytes, site);
}

void arrive_at(uint64_t *barrier, uint32_t rank, Site site) {
  Machine &m = machine();
  if (arrivals_to_lose.load() > 0 && arrivals_to_lose.fetch_sub(1) == 1) {
    arrivals_to_lose.store(-1);
    return;
  }
  arrive(m, m.block(static_cast<int>(rank), site), m.address_of(barrier, site), 0, site);
}

bool phase_is_over(uint64_t *barrier, uint32_t parity, Site site) {
  Machine &m = machine();
  Thread &thread = m.current();
  const uint32_t address = m.address_of(barrier, site);
  uint64_t bits;
  std::memcpy(&bits, m.at(m.block(), address, 8, site), 8);
  Count count;
  if (!count.read(bits)) m.fail("a barrier that was not initialised", site);
  if (parity > 1) m.fail("a parity that is neither 0 nor 1", site);
  if (count.phase != parity) {
    thread.waits_for = nullptr;
    m.progress();
    return true;
  }
  thread.waits_for = barrier;
  thread.parity = parity;
  m.idle("a wait for a barrier", site);
  return false; // somebody else has had a turn: it looks again
}

void come_to(int id, int threads, bool waits, Site site) {
  Machine &m = machine();
  m.warp_barrier(0xffffffffu, site); // .aligned
  Block &block = m.block();
  if (id < 0 || id > 15 || threads <= 0 || threads % 32 != 0) m.fail("a named barrier of no such number, or threads", site);
  Barrier &barrier = block.named[id];
  int &expected = block.expected[id];
  if (barrier.arrived == 0) expected = threads;
  if (expected != threads) m.fail("a named barrier at which warps expect different numbers of threads", site);
  const unsigned generation = barrier.generation;
  if (++barrier.arrived == expected) {
    barrier.arrived = 0;
    ++barrier.generation;
  }
  m.progress();
  while (waits && barrier.generation == generation) m.idle("a named barrier that not all threads reach", site);
}

void complete_bytes(Machine &m, Block &block, uint32_t barrier, uint32_t bytes, const Site &site) {
  change(m, block, barrier, site, [&](Count &count) { count.bytes -= static_cast<int32_t>(bytes); });
}

std::string describe_barrier(const uint64_t *barrier, uint32_t parity) {
  uint64_t bits;
  std::memcpy(&bits, barrier, 8);
  Count count;
  count.read(bits);
  char text[160];
  std::snprintf(text, sizeof text, "a phase of parity %u that never ends, with %u of %u arrivals and %d bytes to come", parity,
                count.pending, count.expected, count.bytes);
  return text;
}

} // namespace shim
