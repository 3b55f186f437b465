// Who is told when a device has done something, on a device of the test's own that does it when it is asked to.
#include <atomic>
#include <chrono>
#include <cstdio>

#include "check.hpp"
#include "runtime/completions.hpp"

using namespace f2i;
using namespace std::chrono_literals;

namespace {

/// Moments are numbers; they pass up to the one that the test has let through.
class Slow final : public Device {
public:
  const f2i_device_info &info() const noexcept override { return info_; }
  const DeviceOps &ops() const noexcept override { std::abort(); }
  void *allocate(uint64_t) noexcept override { return nullptr; }
  void release(void *) noexcept override {}
  void retire(void *, uint64_t) noexcept override {}
  void trim() noexcept override {}
  f2i_status begin_op(const char *) noexcept override { return F2I_OK; }
  f2i_status use(void *, bool) noexcept override { return F2I_OK; }
  void end_op() noexcept override {}
  f2i_status write(void *, uint64_t, const void *, uint64_t, Pool &) noexcept override { return F2I_OK; }
  f2i_status read(void *, void *, uint64_t, uint64_t) noexcept override { return F2I_OK; }
  f2i_status peek(void *, const void *, uint64_t) noexcept override { return F2I_OK; }
  f2i_status mark(void **moment) noexcept override {
    if (++marked == fails_at) return F2I_DEVICE_LOST;
    *moment = reinterpret_cast<void *>(marked);
    return F2I_OK;
  }
  f2i_status await(void *moment, char *why, size_t size) noexcept override {
    const auto number = reinterpret_cast<uintptr_t>(moment);
    for (uintptr_t now = passed.load(); now < number; now = passed.load()) passed.wait(now);
    if (number != lost_at) return F2I_OK;
    std::snprintf(why, size, "a kernel of gemm");
    return F2I_DEVICE_LOST;
  }
  f2i_status begin_capture() noexcept override { return F2I_UNSUPPORTED; }
  f2i_status end_capture(bool, void **) noexcept override { return F2I_UNSUPPORTED; }
  f2i_status launch(void *) noexcept override { return F2I_UNSUPPORTED; }
  void end_graph(void *) noexcept override {}
  const char *error() const noexcept override { return "no event"; }

  void pass(uintptr_t number) {
    passed.store(number);
    passed.notify_all();
  }
  uintptr_t marked = 0, fails_at = 0, lost_at = 0;
  std::atomic<uintptr_t> passed{0};

private:
  const f2i_device_info info_{};
};

struct Told {
  std::mutex mutex;
  std::vector<std::string> list;
  std::atomic<size_t> count{0};
};

class Tell final : public Completion {
public:
  Tell(Told &told, std::string name) : told_(told), name_(std::move(name)) {}
  void conclude(const FailureRef &lost) noexcept override {
    const std::lock_guard lock(told_.mutex);
    told_.list.push_back(name_ + (lost ? ": " + lost->message : ""));
    ++told_.count;
  }

private:
  Told &told_;
  const std::string name_;
};

const FailureRef exhausted = std::make_shared<Failure>(Failure{F2I_OUT_OF_MEMORY, 0, "context", "out of memory"});

} // namespace

TEST(each_is_told_in_order_when_its_moment_has_passed) {
  Slow device;
  Told told;
  Completions completions(device, exhausted);
  for (const char *name : {"a", "b", "c"}) completions.post(std::make_unique<Tell>(told, name));
  std::this_thread::sleep_for(2ms);
  CHECK_EQUAL(told.count.load(), 0u); // posting has not waited
  device.pass(2);
  while (told.count < 2) std::this_thread::sleep_for(100us);
  std::this_thread::sleep_for(2ms);
  CHECK_EQUAL(told.count.load(), 2u);
  device.pass(3);
  completions.stop();
  CHECK(told.list == std::vector<std::string>({"a", "b", "c"}));
}

TEST(a_lost_device_is_told_to_each) {
  Slow device;
  device.lost_at = 2;
  device.fails_at = 3;
  device.pass(9);
  Told told;
  Completions completions(device, exhausted);
  for (const char *name : {"a", "b", "c", "d"}) completions.post(std::make_unique<Tell>(told, name));
  completions.stop();
  CHECK(told.list == std::vector<std::string>({"a", "b: a kernel of gemm", "c: no event", "d"}));
}

TEST(stopping_concludes_what_was_posted) {
  Slow device;
  Told told;
  Completions completions(device, exhausted);
  for (int i = 0; i < 100; ++i) completions.post(std::make_unique<Tell>(told, "x"));
  device.pass(100);
  completions.stop();
  completions.stop();
  CHECK_EQUAL(told.count.load(), 100u);
}

CHECK_MAIN();
