// Hopper's own kernels are used on a GPU once they have been right there (src/cuda/hopper_check.cu). On the shim, with a
// stand-in for them that is wrong in many ways (shim/hopper.cpp), each on a GPU of its own: what is found holds for one.
#include <dlfcn.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "engine.hpp"
#include "notice.hpp"
#include "shim/streams.hpp"

using namespace engine;

namespace {

const shim::Controls &controls() {
  static const shim::Controls *const table = [] {
    const char *const path = std::getenv("F2I_CUDA_LIBRARY");
    void *const library = path != nullptr ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : nullptr;
    using Entry = const shim::Controls *(*)();
    const auto entry = library != nullptr ? reinterpret_cast<Entry>(dlsym(library, "f2i_shim_controls")) : nullptr;
    if (entry == nullptr) {
      std::puts("skipped: F2I_CUDA_LIBRARY is not the shim");
      std::exit(0);
    }
    return entry();
  }();
  return *table;
}

/// How often the kernel has run since the last call.
size_t kernels_run(const char *name) {
  static char text[1 << 18];
  controls().take_log(text, sizeof text);
  size_t count = 0;
  for (const char *at = text; (at = std::strstr(at, name)) != nullptr; ++at) ++count;
  return count;
}

/// A GPU that nobody has used before, on which Hopper's kernels do this.
class Gpu {
public:
  explicit Gpu(const char *hopper, int index = -1, f2i_precision precision = F2I_PRECISION_F32) {
    static int next = 0;
    controls().set_order(shim::Order::late, 0); // what hangs would hold up whoever enqueues it, in another order
    setenv("F2I_SHIM_DEVICES", "64", 1);
    setenv("F2I_SHIM_HOPPER", hopper, 1);
    index_ = index < 0 ? next++ : index;
    f2i_context_desc desc = F2I_INIT(f2i_context_desc);
    desc.abi_version = F2I_ABI_VERSION;
    desc.threads = 1;
    desc.precision = precision;
    desc.device = F2I_DEVICE_CUDA;
    desc.device_index = index_;
    ok(f2i_context_create(&desc, &context_));
  }
  ~Gpu() { f2i_context_destroy(context_); }
  Gpu(const Gpu &) = delete;
  Gpu &operator=(const Gpu &) = delete;

  int index() const { return index_; }
  f2i_context *context() const { return context_; }
  std::string remark() const {
    char text[512] = "";
    ok(f2i_context_remark(context_, text, sizeof text));
    return text;
  }
  /// A product of ones: "" where it is right, else what is said.
  std::string multiply(int64_t m = 12, int64_t n = 10, int64_t k = 30, const char *before = nullptr) const {
    f2i_buffer *a = nullptr, *b = nullptr, *y = nullptr;
    const std::vector<float> ones(static_cast<size_t>(std::max(m, n) * k), 1);
    std::vector<float> found(static_cast<size_t>(m * n));
    const auto bytes = [](int64_t count) { return static_cast<uint64_t>(count) * sizeof(float); };
    ok(f2i_buffer_create(context_, bytes(m * k), &a));
    ok(f2i_buffer_create(context_, bytes(k * n), &b));
    ok(f2i_buffer_create(context_, bytes(m * n), &y));
    ok(f2i_buffer_write(context_, a, 0, ones.data(), bytes(m * k)));
    ok(f2i_buffer_write(context_, b, 0, ones.data(), bytes(k * n)));
    f2i_gemm_args args = F2I_INIT(f2i_gemm_args);
    args.alpha = 1;
    args.a = {a, 0, m, k, k, F2I_F32, 0}, args.b = {b, 0, k, n, n, F2I_F32, 0}, args.y = {y, 0, m, n, n, F2I_F32, 0};
    f2i_graph *graph = nullptr;
    if (before != nullptr) ok(f2i_graph_begin(context_));
    ok(f2i_gemm(context_, &args));
    if (before != nullptr) {
      ok(f2i_graph_end(context_, &graph));
      for (int i = 0; i < 2; ++i) ok(f2i_graph_launch(context_, graph));
    }
    ok(f2i_buffer_read(context_, y, 0, found.data(), bytes(m * n)));
    const f2i_status status = f2i_sync(context_, nullptr);
    std::string said = status == F2I_OK ? "" : std::string(f2i_status_name(status)) + " " + f2i_last_error(nullptr);
    if (status == F2I_OK && found != std::vector<float>(found.size(), static_cast<float>(k))) said = "wrong";
    if (graph != nullptr) ok(f2i_graph_destroy(context_, graph));
    for (f2i_buffer *const buffer : {a, b, y}) ok(f2i_buffer_destroy(context_, buffer));
    return said;
  }

  /// Attention to values of one: "" where that is what comes, else what is said.
  std::string attend() const {
    const int64_t n = 20, d = 8;
    const std::vector<float> ones(static_cast<size_t>(n * d), 1);
    std::vector<float> found(ones.size());
    const uint64_t bytes = ones.size() * sizeof(float);
    f2i_buffer *x = nullptr, *y = nullptr;
    ok(f2i_buffer_create(context_, bytes, &x));
    ok(f2i_buffer_create(context_, bytes, &y));
    ok(f2i_buffer_write(context_, x, 0, ones.data(), bytes));
    f2i_attention_args args = F2I_INIT(f2i_attention_args);
    args.batch = args.heads = 1;
    args.scale = 1;
    args.q = args.k = args.v = {x, 0, n, d, d, F2I_F32, 0}, args.y = {y, 0, n, d, d, F2I_F32, 0};
    ok(f2i_attention(context_, &args));
    ok(f2i_buffer_read(context_, y, 0, found.data(), bytes));
    const f2i_status status = f2i_sync(context_, nullptr);
    for (f2i_buffer *const buffer : {x, y}) ok(f2i_buffer_destroy(context_, buffer));
    if (status != F2I_OK) return std::string(f2i_status_name(status)) + " " + f2i_last_error(nullptr);
    return found == ones ? "" : "wrong";
  }

private:
  int index_ = 0;
  f2i_context *context_ = nullptr;
};

constexpr const char *off = "products by Hopper's own instructions (wgmma) are off, those of Ampere (mma.sync) are used instead: ";

} // namespace

TEST(what_is_right_is_used) {
  const Gpu gpu("right");
  CHECK_EQUAL(gpu.remark(), ""); // nothing is checked before it is needed
  CHECK_EQUAL(gpu.multiply(), "");
  CHECK_EQUAL(gpu.remark(), "products by Hopper's own instructions (wgmma) have been checked on this GPU and are used");
  (void)kernels_run("compare_kernel");
  CHECK_EQUAL(gpu.multiply(), "");
  CHECK_EQUAL(kernels_run("compare_kernel"), 0u); // once
  const Gpu other("wrong", gpu.index());          // in the process, whichever context asks
  CHECK_EQUAL(other.remark(), gpu.remark());
}

TEST(what_is_wrong_is_not_used_and_said) {
  const struct {
    const char *how, *what;
  } cases[] = {
      {"wrong", "a product of bf16, 25 x 17 x 23: 1 of 425 entries differ from those by mma.sync, by up to 1, one of them (24, 0)"},
      {"wrong_f32", "a product of f32, 25 x 17 x 23: 1 of 425 entries differ from those by mma.sync, by up to 1"},
      {"beside", "a product of bf16, 25 x 17 x 23: 1 of 425 entries differ from those by mma.sync, by up to inf, one of them (0, 17)"},
      {"changing", "a product of bf16, 25 x 17 x 23: 1 of 425 entries differ"},
      {"refused", "a product of bf16, 25 x 17 x 23: kernel a check of Hopper's kernels, Hopper: invalid argument"},
      {"absent", "a product of bf16, 25 x 17 x 23: the library or the driver has none of it"},
      {"stalls", "a product of bf16, 25 x 17 x 23: a kernel waited in vain"},
  };
  for (const auto &[how, what] : cases) {
    const Gpu gpu(how);
    CHECK_EQUAL(gpu.multiply(), ""); // by mma.sync
    CHECK_CONTAINS(gpu.remark(), off);
    CHECK_CONTAINS(gpu.remark(), what);
    CHECK_EQUAL(gpu.multiply(40, 33, 17), "");
  }
}

TEST(attention_is_checked_by_itself) {
  const Gpu gpu("wrong_attention", -1, F2I_PRECISION_BF16);
  CHECK_EQUAL(gpu.attend(), "");
  const std::string found = "attention by Hopper's own instructions (wgmma) is off, that of Ampere (mma.sync) is used instead: attention "
                            "in bf16, of many blocks, 6 of 70 x 941, 52 and 64 dimensions: 1 of 27300 entries differ from those by "
                            "mma.sync, by up to 0.0625, one of them (69, 0)";
  CHECK_EQUAL(gpu.remark(), found);
  CHECK_EQUAL(gpu.multiply(), "");
  CHECK_EQUAL(gpu.remark(), "products by Hopper's own instructions (wgmma) have been checked on this GPU and are used; " + found);
}

TEST(each_kind_is_checked_where_such_kernels_go_wrong) {
  (void)kernels_run("compare_kernel");
  const Gpu gpu("right");
  CHECK_EQUAL(gpu.multiply(), "");
  // bf16 and f16 along and across, tf32, f32: three products each, a triangle of f32, all of them twice.
  CHECK_EQUAL(kernels_run("compare_kernel"), 2u * (6 * 3 + 1));
}

TEST(a_fault_is_told_with_what_to_do) {
  {
    const Gpu gpu("faults");
    const std::string said = gpu.multiply();
    CHECK_CONTAINS(said, "F2I_DEVICE_LOST");
    CHECK_CONTAINS(said, "an illegal instruction");
    CHECK_CONTAINS(said, "start again with F2I_CUDA_HOPPER=0");
    CHECK_CONTAINS(gpu.remark(), "an illegal instruction");
  }
  controls().revive(); // as by a new process
}

TEST(what_never_ends_is_not_waited_for) {
  controls().hold_hopper(true); // every call of CUDA's that could wait does
  {
    const Gpu gpu("hangs");
    const std::string said = gpu.multiply();
    CHECK_CONTAINS(said, "F2I_DEVICE_LOST");
    CHECK_CONTAINS(said, "start again with F2I_CUDA_HOPPER=0");
    CHECK_CONTAINS(gpu.remark(), "a product of bf16, 25 x 17 x 23: it does not end");
    f2i_buffer *buffer = nullptr;
    ok(f2i_buffer_create(gpu.context(), 64, &buffer)); // that stays
  } // nor by what ends the context
  controls().hold_hopper(false);
}

/// Somebody who waits for a download by the time that the check of another op hangs, and holds up the download, too.
class Waiting {
public:
  explicit Waiting(f2i_context *context) : context_(context) {
    ok(f2i_buffer_create(context, sizeof value_, &buffer_));
    ok(f2i_buffer_write(context, buffer_, 0, &value_, sizeof value_));
    ok(f2i_notify(context, nullptr, when_it_hangs, nullptr));
    ok(f2i_buffer_read(context, buffer_, 0, &value_, sizeof value_));
    ok(f2i_notify(context, nullptr, Notice::call, &notice_));
    // Until the queue has come here: the device has all of it.
    f2i_buffer *last = nullptr;
    const auto arrive = [](void *arrived) { static_cast<std::atomic<bool> *>(arrived)->store(true); };
    ok(f2i_buffer_adopt(context, &value_, sizeof value_, arrive, &arrived_, &last));
    ok(f2i_buffer_destroy(context, last));
    while (!arrived_.load()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ~Waiting() { f2i_buffer_destroy(context_, buffer_); }
  /// What he is told.
  const f2i_failure &answer() const {
    while (notice_.calls.load() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return notice_.report;
  }

private:
  static void when_it_hangs(void *, const f2i_failure *) {
    while (!controls().hopper_hangs()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  f2i_context *const context_;
  f2i_buffer *buffer_ = nullptr;
  float value_ = 1;
  std::atomic<bool> arrived_{false};
  Notice notice_;
};

TEST(who_waits_when_something_begins_to_hang_is_answered) {
  controls().hold_hopper(true);
  {
    const Gpu gpu("hangs"), other("hangs", gpu.index()); // another context, which is told later
    const Waiting waiting(gpu.context()), elsewhere(other.context());
    CHECK_CONTAINS(gpu.multiply(), "F2I_DEVICE_LOST");
    CHECK_EQUAL(waiting.answer().status, F2I_DEVICE_LOST);
    CHECK_CONTAINS(waiting.answer().message, "the check of Hopper's kernels does not end");
    CHECK_EQUAL(elsewhere.answer().status, F2I_DEVICE_LOST);
    CHECK_CONTAINS(elsewhere.answer().message, "what hangs on the GPU since a check of Hopper's kernels holds up all work");
  } // nor does what ends the contexts wait
  controls().hold_hopper(false);
}

TEST(a_check_holds_up_no_other_gpu) {
  const Gpu checked("right");
  CHECK_EQUAL(checked.multiply(), "");
  controls().hold_hopper(true);
  const Gpu other("stops");
  const uint64_t before = controls().launches();
  std::string said = "nothing";
  std::thread caller([&] { said = other.multiply(); });
  while (controls().launches() == before) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK_EQUAL(checked.multiply(), "");
  CHECK_EQUAL(other.remark(), "");
  controls().hold_hopper(false);
  caller.join();
  CHECK_EQUAL(said, "");
  CHECK_CONTAINS(other.remark(), "are used");
}

TEST(a_kernel_that_gives_up_in_work_ends_the_context_not_the_process) {
  const Gpu gpu("stalls_later");
  const std::string said = gpu.multiply();
  CHECK_CONTAINS(said, "F2I_DEVICE_LOST");
  CHECK_CONTAINS(said, "waited for its operands in vain");
  CHECK_CONTAINS(gpu.multiply(), "F2I_DEVICE_LOST");
  const Gpu next("stalls_later", gpu.index());
  CHECK_EQUAL(next.multiply(), "");
  CHECK_CONTAINS(next.remark(), off);
  CHECK_CONTAINS(next.remark(), "in the middle of work");
}

TEST(who_waits_without_an_event_is_told_that_a_kernel_gave_up) {
  const Gpu gpu("stalls_later");
  f2i_buffer *buffer = nullptr;
  ok(f2i_buffer_create(gpu.context(), 3 * 64 * sizeof(float), &buffer));
  f2i_gemm_args args = F2I_INIT(f2i_gemm_args);
  args.alpha = 1;
  args.a = {buffer, 0, 8, 8, 8, F2I_F32, 0}, args.b = {buffer, 256, 8, 8, 8, F2I_F32, 0};
  args.y = {buffer, 512, 8, 8, 8, F2I_F32, 0};
  controls().set_order(shim::Order::early, 0);
  (void)kernels_run("give_up_kernel");
  ok(f2i_gemm(gpu.context(), &args));
  while (kernels_run("give_up_kernel") == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  controls().fail_events(true);
  CHECK_EQUAL(f2i_sync(gpu.context(), nullptr), F2I_DEVICE_LOST);
  controls().fail_events(false);
  ok(f2i_buffer_destroy(gpu.context(), buffer));
}

TEST(a_graph_may_ask_first) {
  const Gpu right("right"), wrong("wrong");
  setenv("F2I_SHIM_HOPPER", "right", 1);
  CHECK_EQUAL(right.multiply(12, 10, 30, "a graph"), "");
  CHECK_CONTAINS(right.remark(), "are used");
  setenv("F2I_SHIM_HOPPER", "wrong", 1);
  CHECK_EQUAL(wrong.multiply(12, 10, 30, "a graph"), "");
  CHECK_CONTAINS(wrong.remark(), off);
}

TEST(somebody_may_forbid_or_force_them) {
  // What holds is what the variable is when the context is opened.
  setenv("F2I_CUDA_HOPPER", "0", 1);
  {
    const Gpu gpu("wrong");
    unsetenv("F2I_CUDA_HOPPER");
    CHECK_EQUAL(gpu.multiply(), "");
    CHECK_EQUAL(gpu.remark(), "products and attention by Hopper's own instructions (wgmma) are off: F2I_CUDA_HOPPER=0");
  }
  setenv("F2I_CUDA_HOPPER", "1", 1);
  {
    const Gpu gpu("wrong");
    unsetenv("F2I_CUDA_HOPPER");
    CHECK_EQUAL(gpu.multiply(), "wrong");
    CHECK_EQUAL(gpu.remark(), "products and attention by Hopper's own instructions (wgmma) are used unchecked: F2I_CUDA_HOPPER=1");
  }
  setenv("F2I_CUDA_HOPPER", "no", 1);
  f2i_context_desc desc = F2I_INIT(f2i_context_desc);
  desc.abi_version = F2I_ABI_VERSION;
  desc.device = F2I_DEVICE_CUDA;
  f2i_context *context = nullptr;
  CHECK_EQUAL(f2i_context_create(&desc, &context), F2I_INVALID_ARGUMENT);
  CHECK_CONTAINS(f2i_last_error(nullptr), "F2I_CUDA_HOPPER: expected 0, 1 or nothing, found \"no\"");
  unsetenv("F2I_CUDA_HOPPER");
}

TEST(without_memory_for_the_check_nothing_is_known) {
  const Gpu gpu("right");
  CHECK_EQUAL(gpu.multiply(3, 3, 3), ""); // too small for such kernels: staging is made, nothing is checked
  CHECK_EQUAL(gpu.remark(), "");
  bool failed = false;
  for (int call = 1; call < 60 && gpu.remark().empty(); ++call) {
    controls().fail_allocations(call, 1 << 20); // this one and all behind it
    const std::string said = gpu.multiply();
    controls().fail_allocations(0, 0);
    failed = failed || said.find("for a check of the device") != std::string::npos;
    CHECK(said.empty() || said.find("F2I_OUT_OF_MEMORY") != std::string::npos);
  }
  CHECK(failed);
  CHECK_EQUAL(gpu.multiply(), "");
  CHECK_CONTAINS(gpu.remark(), "are used");
}

TEST(a_remark_needs_room) {
  const Gpu gpu("right");
  char text[5] = "----";
  CHECK_EQUAL(f2i_context_remark(gpu.context(), text, 0), F2I_INVALID_ARGUMENT);
  CHECK_EQUAL(f2i_context_remark(gpu.context(), nullptr, 5), F2I_INVALID_ARGUMENT);
  CHECK_EQUAL(f2i_context_remark(nullptr, text, 5), F2I_INVALID_ARGUMENT);
  CHECK_EQUAL(gpu.multiply(), "");
  ok(f2i_context_remark(gpu.context(), text, 5)); // cut
  CHECK_EQUAL(std::string(text), "prod");
}

CHECK_MAIN();
