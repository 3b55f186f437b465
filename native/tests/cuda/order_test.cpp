// What a context on a device enqueues, when it runs, and who waits: on the shim, whose streams run as late, as early or
// as oddly as CUDA allows (shim/streams.hpp). On a GPU, whose order nobody can choose, these tests do not run.
#include <dlfcn.h>

#include <chrono>
#include <cstdio>
#include <sstream>
#include <thread>

#include "engine.hpp"
#include "notice.hpp"
#include "shim/streams.hpp"

using namespace engine;
using namespace std::chrono_literals;
using shim::Order;

namespace {

const shim::Controls &controls() {
  static const shim::Controls *const table = [] {
    const char *const path = std::getenv("F2I_CUDA_LIBRARY");
    void *const library = path != nullptr ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : nullptr;
    if (library == nullptr) {
      std::printf("expected a library in F2I_CUDA_LIBRARY, found: %s\n", path != nullptr ? dlerror() : "none named");
      std::exit(1);
    }
    using Entry = const shim::Controls *(*)();
    const auto entry = reinterpret_cast<Entry>(dlsym(library, "f2i_shim_controls"));
    if (entry == nullptr) {
      std::puts("skipped: F2I_CUDA_LIBRARY is not the shim");
      std::exit(0);
    }
    return entry();
  }();
  return *table;
}

/// The order of the shim while the object lives.
struct InOrder {
  explicit InOrder(Order order, unsigned seed = 1) { controls().set_order(order, seed); }
  ~InOrder() { controls().set_order(Order::late, 0); }
};

/// Until the queue's thread has enqueued all; it waits for nothing of the device's.
void enqueued(const Engine &engine) {
  while (engine.info().queued_ops > 0) std::this_thread::sleep_for(100us);
}

std::vector<std::string> log() {
  static char text[1 << 18];
  controls().take_log(text, sizeof text);
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

f2i_matrix matrix(f2i_buffer *buffer, int64_t rows, int64_t cols) { return {buffer, 0, rows, cols, cols, F2I_F32, 0}; }

f2i_status elementwise(f2i_context *context, f2i_elementwise_kind kind, const f2i_matrix &a, const f2i_matrix &b,
                       double scalar, const f2i_matrix &y) {
  f2i_elementwise_args args = F2I_INIT(f2i_elementwise_args);
  args.kind = kind, args.scalar = scalar;
  args.a = a, args.b = b, args.y = y;
  return f2i_elementwise(context, &args);
}
f2i_status add(f2i_context *context, f2i_buffer *x, int64_t count, double what) {
  return elementwise(context, F2I_ADD, matrix(x, 1, count), {}, what, matrix(x, 1, count));
}
f2i_status factor(f2i_context *context, const f2i_matrix &a, const f2i_matrix &y) {
  f2i_cholesky_factor_args args = F2I_INIT(f2i_cholesky_factor_args);
  args.a = a, args.y = y;
  return f2i_cholesky_factor(context, &args);
}
f2i_status multiply(f2i_context *context, const f2i_matrix &a, const f2i_matrix &b, const f2i_matrix &y) {
  f2i_gemm_args args = F2I_INIT(f2i_gemm_args);
  args.alpha = 1;
  args.a = a, args.b = b, args.y = y;
  return f2i_gemm(context, &args);
}

/// Values that tell where they come from.
std::vector<float> ramp(size_t count, float from) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = from + static_cast<float>(i % 1021);
  return values;
}

/// Buffers that are written, computed with, read, freed and taken again, in every way that one lane could overtake
/// another: what is read must be what the order of the calls says.
void turmoil(const Engine &engine, unsigned seed) {
  std::minstd_rand random(seed);
  constexpr size_t count = 20000; // over a slot for small copies
  struct Live {
    f2i_buffer *buffer;
    std::vector<float> values;
  };
  std::vector<Live> live;
  std::vector<std::pair<std::vector<float>, std::vector<float>>> reads; // found, expected
  reads.reserve(400);
  for (int step = 0; step < 300; ++step) {
    const unsigned what = random() % 6;
    const size_t which = live.empty() ? 0 : random() % live.size();
    if (live.size() < 2 || (what == 0 && live.size() < 6)) {
      f2i_buffer *const buffer = engine.create(count * 4);
      live.push_back({buffer, ramp(count, static_cast<float>(step))});
      ok(f2i_buffer_write(engine, buffer, 0, live.back().values.data(), count * 4));
    } else if (what == 1) {
      ok(f2i_buffer_destroy(engine, live[which].buffer));
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(which));
    } else if (what == 2) { // part of it anew, short enough for a small slot
      const auto values = ramp(100, static_cast<float>(1000 + step));
      std::copy(values.begin(), values.end(), live[which].values.begin() + 50);
      ok(f2i_buffer_write(engine, live[which].buffer, 200, values.data(), 400));
    } else if (what == 3) {
      ok(add(engine, live[which].buffer, count, 1));
      for (float &value : live[which].values) value += 1;
    } else if (what == 4) {
      const size_t other = random() % live.size();
      if (other == which) continue;
      ok(elementwise(engine, F2I_MAX, matrix(live[which].buffer, 1, count), matrix(live[other].buffer, 1, count), 0,
                     matrix(live[which].buffer, 1, count)));
      for (size_t i = 0; i < count; ++i) live[which].values[i] = std::max(live[which].values[i], live[other].values[i]);
    } else {
      reads.emplace_back(std::vector<float>(count), live[which].values);
      ok(f2i_buffer_read(engine, live[which].buffer, 0, reads.back().first.data(), count * 4));
    }
  }
  CHECK_EQUAL(engine.sync().status, F2I_OK);
  size_t wrong = 0;
  for (const auto &[found, expected] : reads) wrong += found != expected;
  CHECK_EQUAL(wrong, 0u);
  CHECK(reads.size() > 20);
  for (const Live &each : live) ok(f2i_buffer_destroy(engine, each.buffer));
}

} // namespace

TEST(results_do_not_depend_on_when_streams_run) {
  for (const Order order : {Order::late, Order::early, Order::kernels_last, Order::copies_last}) {
    const InOrder in(order);
    const Engine engine;
    turmoil(engine, 1 + static_cast<unsigned>(order));
  }
  for (unsigned seed = 10; seed < 16; ++seed) {
    const InOrder in(Order::random, seed);
    const Engine engine;
    turmoil(engine, seed);
  }
}

TEST(memory_may_be_given_back_within_an_op) {
  for (const Order order : {Order::late, Order::kernels_last}) {
    const InOrder in(order);
    // The list of the last op has room once the cached memory of `b` is given back: while kernels that use it, and this
    // op's own, have not run.
    const Engine engine(F2I_ISA_AUTO, 1, 270000);
    constexpr int64_t count = 20000;
    const auto values = ramp(count, 5);
    std::vector<int32_t> reversed(count);
    for (int64_t i = 0; i < count; ++i) reversed[static_cast<size_t>(i)] = static_cast<int32_t>(count - 1 - i);
    std::vector<float> found(count);
    f2i_buffer *const x = engine.create(count * 4), *const y = engine.create(count * 4), *const b = engine.create(100000);
    ok(f2i_buffer_write(engine, x, 0, values.data(), count * 4));
    ok(elementwise(engine, F2I_MUL, matrix(x, 1, count), {}, 2, matrix(b, 1, count)));
    ok(f2i_sync(engine, nullptr)); // b is written, and still to be read
    ok(elementwise(engine, F2I_ADD, matrix(b, 1, count), {}, 1, matrix(x, 1, count)));
    ok(f2i_buffer_destroy(engine, b));
    f2i_gather_args gather = F2I_INIT(f2i_gather_args);
    gather.col_indices = reversed.data();
    gather.x = matrix(x, 1, count);
    gather.y = matrix(y, 1, count);
    ok(f2i_gather(engine, &gather));
    ok(f2i_buffer_read(engine, y, 0, found.data(), count * 4));
    enqueued(engine);
    CHECK_EQUAL(engine.sync().status, F2I_OK);
    size_t wrong = 0;
    for (size_t i = 0; i < count; ++i) wrong += found[i] != 2 * values[count - 1 - i] + 1;
    CHECK_EQUAL(wrong, 0u);
  }
}

TEST(the_queue_waits_for_nothing) {
  const InOrder in(Order::late);
  const Engine engine;
  Matrix<float> good(40, 40);
  good.fill(0.01f);
  for (int64_t i = 0; i < 40; ++i) good(i, i) = 2;
  const Device<float> a(engine, good), l(engine, Matrix<float>(40, 40)), x(engine, Matrix<float>(40, 40).random(3));
  const std::vector<int32_t> columns(40, 7);
  enqueued(engine);
  const uint64_t waits = controls().waits(), run = controls().kernels_run(), launched = controls().launches();
  ok(factor(engine, a, l)); // whether it succeeds, the device tells later
  f2i_gather_args gather = F2I_INIT(f2i_gather_args);
  gather.col_indices = columns.data();
  gather.x = x;
  gather.y = l;
  ok(f2i_gather(engine, &gather)); // a list is uploaded
  std::vector<float> values(1600), found(1600);
  ok(f2i_buffer_write(engine, x.buffer(), 0, values.data(), 6400));
  ok(f2i_buffer_read(engine, l.buffer(), 0, found.data(), 6400));
  f2i_buffer *const more = engine.create(1 << 20);
  ok(f2i_buffer_destroy(engine, more));
  enqueued(engine);
  CHECK_EQUAL(controls().waits(), waits);
  CHECK_EQUAL(controls().kernels_run(), run);
  CHECK(controls().launches() >= launched + 3);
  ok(f2i_sync(engine, nullptr));
  CHECK(controls().waits() > waits && controls().kernels_run() > run);
}

TEST(a_notification_comes_when_what_was_before_it_has_run) {
  const InOrder in(Order::late);
  const Engine engine;
  const Device<float> x(engine, Matrix<float>(1, 1000).fill(1));
  std::vector<float> found(1000);
  std::vector<std::unique_ptr<Notice>> notices;
  for (int i = 0; i < 50; ++i) {
    ok(add(engine, x.buffer(), 1000, 1));
    ok(f2i_buffer_read(engine, x.buffer(), 0, found.data(), 4000));
    notices.push_back(std::make_unique<Notice>());
    ok(f2i_notify(engine, x.buffer(), Notice::call, notices.back().get()));
  }
  while (notices.back()->calls == 0) std::this_thread::sleep_for(100us);
  CHECK_EQUAL(found[0], 51.0f);
  for (const auto &notice : notices) {
    CHECK_EQUAL(notice->calls, 1);
    CHECK_EQUAL(notice->report.status, F2I_OK);
  }
}

TEST(ops_on_their_way_are_bounded) {
  const InOrder in(Order::late);
  const Engine engine;
  f2i_buffer *const x = engine.create(4);
  const float zero = 0;
  ok(f2i_buffer_write(engine, x, 0, &zero, 4));
  const uint64_t run = controls().kernels_run(), launched = controls().launches();
  for (int i = 0; i < 3000; ++i) ok(add(engine, x, 1, 1));
  enqueued(engine);
  const uint64_t waiting = controls().launches() - launched - (controls().kernels_run() - run);
  CHECK(waiting > 0 && waiting <= 1024);
  float found = 0;
  ok(f2i_buffer_read(engine, x, 0, &found, 4));
  ok(f2i_sync(engine, nullptr));
  CHECK_EQUAL(found, 3000.0f);
}

/// What the streamed ridge enqueues for its blocks of targets: upload, statistics, centring, the product with the hat
/// matrix, download. The next block is on its way before the product of this one has run.
TEST(uploads_of_streamed_blocks_do_not_wait_for_products) {
  const InOrder in(Order::kernels_last);
  const Engine engine(F2I_ISA_AUTO, 1, 8 << 20); // room for a few blocks only
  constexpr int64_t train = 64, targets = 4096, rows = 8;
  constexpr int blocks = 6;
  const Device<float> hat(engine, Matrix<float>(rows, train).fill(1.0f / train));
  std::vector<std::vector<float>> source, found(blocks, std::vector<float>(rows * targets)),
      means(blocks, std::vector<float>(targets));
  for (int b = 0; b < blocks; ++b) source.push_back(ramp(train * targets, static_cast<float>(b)));
  ok(f2i_sync(engine, nullptr));
  (void)log();
  for (int b = 0; b < blocks; ++b) {
    const auto i = static_cast<size_t>(b);
    f2i_buffer *raw = nullptr;
    ok(f2i_buffer_adopt(engine, source[i].data(), train * targets * 4, nullptr, nullptr, &raw));
    f2i_buffer *const mean = engine.create(targets * 4), *const y = engine.create(train * targets * 4),
                     *const values = engine.create(rows * targets * 4);
    f2i_column_stats_args stats = F2I_INIT(f2i_column_stats_args);
    stats.x = matrix(raw, train, targets);
    stats.mean = matrix(mean, 1, targets);
    ok(f2i_column_stats(engine, &stats));
    ok(f2i_buffer_read(engine, mean, 0, means[i].data(), targets * 4));
    ok(elementwise(engine, F2I_SUB, matrix(raw, train, targets), matrix(mean, 1, targets), 0, matrix(y, train, targets)));
    ok(f2i_buffer_destroy(engine, raw));
    ok(multiply(engine, hat, matrix(y, train, targets), matrix(values, rows, targets)));
    ok(f2i_buffer_read(engine, values, 0, found[i].data(), rows * targets * 4));
    for (f2i_buffer *buffer : {mean, y, values}) ok(f2i_buffer_destroy(engine, buffer));
  }
  enqueued(engine);
  // A kernel at a time; copies whenever nothing keeps them.
  while (controls().kernels_run() < controls().launches()) controls().run_kernels(1);
  CHECK_EQUAL(engine.sync().status, F2I_OK);
  std::vector<size_t> uploads, products, downloads;
  const auto lines = log();
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i] == "in " + std::to_string(train * targets * 4)) uploads.push_back(i);
    if (lines[i] == "kernel gemm") products.push_back(i);
    if (lines[i] == "out " + std::to_string(rows * targets * 4)) downloads.push_back(i);
  }
  CHECK_EQUAL(uploads.size(), static_cast<size_t>(blocks));
  CHECK_EQUAL(products.size(), static_cast<size_t>(blocks));
  CHECK_EQUAL(downloads.size(), static_cast<size_t>(blocks));
  for (size_t b = 0; b + 1 < std::min({uploads.size(), products.size(), downloads.size()}); ++b) {
    CHECK(uploads[b + 1] < products[b]);
    CHECK(downloads[b] < products[b + 1]); // nor do downloads wait for the next product
  }
  for (int b = 0; b < blocks; ++b) {
    const auto i = static_cast<size_t>(b);
    double mean = 0;
    for (int64_t r = 0; r < train; ++r) mean += static_cast<double>(source[i][static_cast<size_t>(r * targets + 5)]) / train;
    CHECK(std::abs(static_cast<double>(means[i][5]) - mean) < 1e-2);
    CHECK(std::abs(found[i][5]) < 1e-2f); // the mean of what is centred
  }
}

TEST(memory_that_lacks_anywhere_leaves_the_context_usable) {
  std::vector<float> values = ramp(300000, 1), sum(300000);
  const std::vector<int32_t> columns(1000, 3);
  const auto work = [&](f2i_context *context) -> f2i_status {
    f2i_buffer *x = nullptr, *y = nullptr, *picked = nullptr;
    ok(f2i_buffer_adopt(context, values.data(), 1200000, nullptr, nullptr, &x));
    ok(f2i_buffer_create(context, 1200000, &y));
    ok(f2i_buffer_create(context, 4000, &picked));
    ok(elementwise(context, F2I_ADD, matrix(x, 1, 300000), matrix(x, 1, 300000), 0, matrix(y, 1, 300000)));
    f2i_gather_args gather = F2I_INIT(f2i_gather_args);
    gather.col_indices = columns.data();
    gather.x = matrix(y, 1, 300000);
    gather.y = matrix(picked, 1, 1000);
    ok(f2i_gather(context, &gather));
    f2i_graph *graph = nullptr;
    ok(f2i_graph_begin(context));
    f2i_buffer *between = nullptr;
    ok(f2i_buffer_create(context, 1200000, &between));
    ok(elementwise(context, F2I_SUB, matrix(y, 1, 300000), matrix(x, 1, 300000), 0, matrix(between, 1, 300000)));
    ok(elementwise(context, F2I_ADD, matrix(between, 1, 300000), {}, 1, matrix(y, 1, 300000)));
    ok(f2i_buffer_destroy(context, between));
    ok(f2i_graph_end(context, &graph));
    for (int i = 0; i < 2; ++i) ok(f2i_graph_launch(context, graph));
    ok(f2i_graph_destroy(context, graph));
    std::fill(sum.begin(), sum.end(), 0.0f);
    ok(f2i_buffer_read(context, y, 0, sum.data(), 1200000));
    for (f2i_buffer *buffer : {x, y, picked}) ok(f2i_buffer_destroy(context, buffer));
    return f2i_sync(context, nullptr);
  };
  const size_t before = controls().memory_used();
  int failed = 0;
  for (const int times : {1, 1000}) {
    for (int call = 1; call <= 40; ++call) {
      const Engine engine(F2I_ISA_AUTO, 1);
      const uint64_t asked = controls().allocations();
      controls().fail_allocations(call, times);
      const f2i_status status = work(engine);
      const bool reached = controls().allocations() - asked >= static_cast<uint64_t>(call);
      controls().fail_allocations(0, 0);
      CHECK(status == F2I_OK || status == F2I_OUT_OF_MEMORY);
      failed += status != F2I_OK;
      if (status == F2I_OK) CHECK_EQUAL(sum[7], 2.0f); // 2 x - x + 1, - x + 1
      ok(work(engine));
      CHECK_EQUAL(sum[7], 2.0f);
      CHECK_EQUAL(engine.info().live_bytes, 0u);
      if (!reached) break;
    }
  }
  CHECK(failed > 3);
  CHECK_EQUAL(controls().memory_used(), before);
}

TEST(a_read_that_fails_is_told_to_who_waits_for_its_buffer) {
  for (const size_t bytes : {size_t{400}, size_t{100000}}) { // a small slot, and a large one
    const Engine engine;
    f2i_buffer *const x = engine.create(bytes);
    const auto values = ramp(bytes / 4, 1);
    std::vector<float> found(bytes / 4, -1);
    ok(f2i_buffer_write(engine, x, 0, values.data(), bytes));
    ok(f2i_sync(engine, nullptr));
    controls().fail_allocations(1, 1000);
    Notice failed, later;
    ok(f2i_context_set_tag(engine, 9));
    ok(f2i_buffer_read(engine, x, 0, found.data(), bytes));
    ok(f2i_notify(engine, x, Notice::call, &failed));
    while (failed.calls == 0) std::this_thread::sleep_for(100us);
    controls().fail_allocations(0, 0);
    CHECK_EQUAL(failed.report.status, F2I_OUT_OF_MEMORY);
    CHECK_EQUAL(failed.report.tag, 9u);
    CHECK_CONTAINS(failed.report.message, "copy from the device");
    CHECK_EQUAL(found[3], -1.0f);
    // The buffer is what it was: what computes with it, and the next read, go well.
    ok(add(engine, x, static_cast<int64_t>(bytes / 4), 1));
    ok(f2i_buffer_read(engine, x, 0, found.data(), bytes));
    ok(f2i_notify(engine, x, Notice::call, &later));
    while (later.calls == 0) std::this_thread::sleep_for(100us);
    CHECK_EQUAL(later.report.status, F2I_OK);
    CHECK_EQUAL(found[3], values[3] + 1);
    CHECK_EQUAL(engine.sync().status, F2I_OUT_OF_MEMORY); // the first failure since the last report
  }
}

TEST(without_an_event_nobody_is_told_too_early) {
  const InOrder in(Order::late);
  const Engine engine;
  const auto values = ramp(100000, 1);
  std::vector<float> few(100, -1), many(100000, -1);
  f2i_buffer *const x = engine.create(400000), *const y = engine.create(400);
  ok(f2i_buffer_write(engine, x, 0, values.data(), 400000));
  ok(f2i_buffer_write(engine, y, 0, values.data(), 400));
  ok(add(engine, x, 100000, 1));
  ok(f2i_buffer_read(engine, x, 0, many.data(), 400000));
  ok(f2i_buffer_read(engine, y, 0, few.data(), 400));
  enqueued(engine);
  CHECK_EQUAL(many[5], -1.0f);
  controls().fail_events(true);
  Notice notice;
  ok(f2i_notify(engine, nullptr, Notice::call, &notice));
  while (notice.calls == 0) std::this_thread::sleep_for(100us);
  controls().fail_events(false);
  CHECK_EQUAL(notice.report.status, F2I_OK);
  CHECK_EQUAL(many[99999], values[99999] + 1);
  CHECK_EQUAL(few[5], values[5]);
  CHECK_EQUAL(engine.sync().status, F2I_OK);
}

TEST(a_graph_is_one_piece_of_work) {
  const Engine engine;
  const Device<float> x(engine, Matrix<float>(1, 100).fill(0));
  const std::vector<int32_t> reversed = {3, 2, 1, 0};
  const Device<float> y(engine, Matrix<float>(1, 4).random(5)), z(engine, Matrix<float>(1, 4));
  f2i_graph *graph = nullptr, *judged = nullptr;
  ok(f2i_graph_begin(engine));
  for (int i = 0; i < 19; ++i) ok(add(engine, x.buffer(), 100, 1));
  f2i_gather_args gather = F2I_INIT(f2i_gather_args);
  gather.col_indices = reversed.data();
  gather.x = y, gather.y = z;
  ok(f2i_gather(engine, &gather)); // its list stays on the device
  ok(f2i_graph_end(engine, &graph));
  ok(f2i_sync(engine, nullptr));
  const uint64_t launches = controls().launches(), graphs = controls().graph_launches();
  for (int i = 0; i < 5; ++i) ok(f2i_graph_launch(engine, graph));
  (void)log();
  CHECK_EQUAL(x.download()(0, 99), 95.0f);
  CHECK_EQUAL(controls().launches(), launches);
  CHECK_EQUAL(controls().graph_launches(), graphs + 5);
  for (const std::string &line : log()) CHECK(line.rfind("in ", 0) != 0);
  const auto from = y.download(), to = z.download();
  for (int64_t j = 0; j < 4; ++j) CHECK_EQUAL(to(0, j), from(0, 3 - j));
  ok(f2i_graph_destroy(engine, graph));
  // What must be judged each time runs op by op.
  Matrix<float> one(1, 1);
  const Device<float> a(engine, one.fill(4)), l(engine, Matrix<float>(1, 1));
  ok(f2i_graph_begin(engine));
  ok(factor(engine, a, l));
  ok(f2i_graph_end(engine, &judged));
  ok(f2i_graph_launch(engine, judged));
  CHECK_EQUAL(l.download()(0, 0), 2.0f);
  CHECK_EQUAL(controls().graph_launches(), graphs + 5);
  ok(f2i_graph_destroy(engine, judged));
}

TEST(the_callers_stream_stays_the_callers) {
  void *const stream = controls().make_stream();
  f2i_context_desc desc = F2I_INIT(f2i_context_desc);
  desc.abi_version = F2I_ABI_VERSION;
  desc.threads = 1;
  desc.device = F2I_DEVICE_CUDA;
  desc.stream = stream;
  f2i_context *context = nullptr;
  ok(f2i_context_create(&desc, &context));
  f2i_buffer *x = nullptr;
  const float two = 2;
  float found = 0;
  ok(f2i_buffer_create(context, 4, &x));
  ok(f2i_buffer_write(context, x, 0, &two, 4));
  ok(add(context, x, 1, 3));
  f2i_graph *graph = nullptr;
  ok(f2i_graph_begin(context));
  ok(add(context, x, 1, 3));
  ok(f2i_graph_end(context, &graph));
  ok(f2i_graph_launch(context, graph));
  ok(f2i_buffer_read(context, x, 0, &found, 4));
  ok(f2i_sync(context, nullptr));
  CHECK_EQUAL(found, 8.0f);
  CHECK_EQUAL(controls().kernels_of(stream), 2u); // the op and the graph
  ok(f2i_context_destroy(context));
  controls().end_stream(stream); // there is one to end
}

TEST(contexts_share_a_device_and_devices_have_indices) {
  setenv("F2I_SHIM_DEVICES", "2", 1);
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t, &right] {
      f2i_context_desc desc = F2I_INIT(f2i_context_desc);
      desc.abi_version = F2I_ABI_VERSION;
      desc.threads = 1;
      desc.device = F2I_DEVICE_CUDA;
      desc.device_index = t % 2;
      f2i_context *context = nullptr;
      ok(f2i_context_create(&desc, &context));
      f2i_buffer *x = nullptr;
      const auto values = ramp(5000, static_cast<float>(t));
      std::vector<float> found(5000);
      ok(f2i_buffer_create(context, 20000, &x));
      ok(f2i_buffer_write(context, x, 0, values.data(), 20000));
      for (int i = 0; i < 20; ++i) ok(add(context, x, 5000, 1));
      ok(f2i_buffer_read(context, x, 0, found.data(), 20000));
      if (f2i_sync(context, nullptr) == F2I_OK && found[4999] == values[4999] + 20) ++right;
      ok(f2i_context_destroy(context));
    });
  }
  for (std::thread &thread : threads) thread.join();
  CHECK_EQUAL(right, 4);
  unsetenv("F2I_SHIM_DEVICES");
}

TEST(a_lost_device_is_told_to_everyone_who_waits) {
  for (const bool blocking : {false, true}) {
    if (blocking) setenv("F2I_CUDA_BLOCKING", "1", 1);
    {
      const Engine engine;
      f2i_buffer *const x = engine.create(400), *const y = engine.create(400);
      const auto values = ramp(100, 1);
      ok(f2i_buffer_write(engine, x, 0, values.data(), 400));
      ok(f2i_buffer_write(engine, y, 0, values.data(), 400));
      ok(f2i_sync(engine, nullptr));
      controls().fail_kernel(1);
      ok(f2i_context_set_tag(engine, 7));
      ok(add(engine, x, 100, 1));
      std::vector<float> found(100, -5);
      Notice of_x, of_y, of_all;
      ok(f2i_buffer_read(engine, y, 0, found.data(), 400));
      ok(f2i_notify(engine, x, Notice::call, &of_x));
      ok(f2i_notify(engine, y, Notice::call, &of_y));
      ok(f2i_notify(engine, nullptr, Notice::call, &of_all));
      f2i_failure failure = engine.sync();
      for (const Notice *notice : {&of_x, &of_y, &of_all}) {
        CHECK_EQUAL(notice->calls, 1);
        CHECK_EQUAL(notice->report.status, F2I_DEVICE_LOST);
      }
      CHECK_EQUAL(failure.status, F2I_DEVICE_LOST);
      CHECK_CONTAINS(of_x.report.message, "elementwise");
      CHECK_CONTAINS(of_x.report.message, "unspecified launch failure");
      if (blocking) CHECK_CONTAINS(of_x.report.message, "kernel elementwise");
      ok(add(engine, x, 100, 1));
      failure = engine.sync();
      CHECK_EQUAL(failure.status, F2I_DEVICE_LOST);
      f2i_buffer *const later = engine.create(100);
      CHECK_EQUAL(engine.sync().status == F2I_OK, false);
      ok(f2i_buffer_destroy(engine, later));
    }
    controls().fail_kernel(0);
    controls().revive();
    unsetenv("F2I_CUDA_BLOCKING");
  }
  const Engine engine;
  const Device<float> x(engine, Matrix<float>(1, 4).fill(3));
  ok(add(engine, x.buffer(), 4, 1));
  CHECK_EQUAL(x.download()(0, 0), 4.0f);
}

CHECK_MAIN();
