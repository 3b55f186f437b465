// The queue, poison, cancellation, the ceiling and notifications, through the
// C ABI, with small ops of the test's own in place of kernels.
#include <atomic>
#include <chrono>
#include <thread>

#include "abi/call.hpp"
#include "engine.hpp"
#include "notice.hpp"

using namespace engine;
using namespace std::chrono_literals;
using f2i::Exec;
using f2i::View;

namespace {

/// y = x + 1, or a failure on request; `gate` holds the queue until it opens.
struct Step {
  View x, y;
  f2i_status fail = F2I_OK;
  std::atomic<bool> *gate = nullptr;
  bool throws = false;
  uint64_t scratch = 0;
  std::atomic<int> *ran = nullptr;
};

f2i_status step(Exec &ex, const Step &op) {
  if (op.ran != nullptr) op.ran->fetch_add(1);
  while (op.gate != nullptr && !op.gate->load()) {
    if (ex.cancelled()) return F2I_CANCELLED;
    std::this_thread::sleep_for(50us);
  }
  if (op.throws) throw std::runtime_error("thrown by a driver");
  if (op.scratch != 0 && ex.scratch(op.scratch) == nullptr) return F2I_OUT_OF_MEMORY;
  if (op.fail != F2I_OK) return ex.fail(op.fail, "pivot %d is not positive", 7);
  ex.pool().parallel_for(op.y.cols, [&](int64_t i, int) {
    op.y.as<float>()[i] = (op.x ? op.x.as<float>()[i] : 0.0f) + 1;
  });
  return F2I_OK;
}

/// A vector of floats on a context.
struct Vector {
  f2i_context *context;
  int64_t size;
  f2i_buffer *buffer = nullptr;

  Vector(f2i_context *c, int64_t n, float value) : context(c), size(n) {
    ok(f2i_buffer_create(c, static_cast<uint64_t>(n) * 4, &buffer));
    const std::vector<float> values(static_cast<size_t>(n), value);
    ok(f2i_buffer_write(c, buffer, 0, values.data(), static_cast<uint64_t>(n) * 4));
  }
  explicit Vector(f2i_context *c, int64_t n = 16) : context(c), size(n) {
    ok(f2i_buffer_create(c, static_cast<uint64_t>(n) * 4, &buffer));
  }
  ~Vector() {
    if (buffer != nullptr) f2i_buffer_destroy(context, buffer);
  }
  Vector(const Vector &) = delete;
  Vector &operator=(const Vector &) = delete;

  f2i_matrix view(int64_t from = 0, int64_t count = -1) const {
    if (count < 0) count = size - from;
    return {buffer, static_cast<uint64_t>(from) * 4, 1, count, count, F2I_F32, 0};
  }
  float first() const {
    float value = -1;
    ok(f2i_buffer_read(context, buffer, 0, &value, 4));
    ok(f2i_sync(context, nullptr));
    return value;
  }
};

f2i_status enqueue(f2i_context *context, const f2i_matrix *x, const f2i_matrix &y, Step options = {}) {
  return f2i::abi::guard([&] {
    f2i::abi::Call<Step> call(context, "step", step);
    call.op = options;
    if (x != nullptr) call.input(call.op.x, "x", *x);
    call.output(call.op.y, "y", y, &call.op.x);
    call.enqueue();
  });
}

void run(const Vector *x, const Vector &y, Step options = {}) {
  const f2i_matrix input = x != nullptr ? x->view() : f2i_matrix{};
  ok(enqueue(y.context, x != nullptr ? &input : nullptr, y.view(), options));
}

} // namespace

TEST(ops_run_in_order) {
  const Engine engine;
  const Vector v(engine, 100, 0);
  for (int i = 0; i < 1000; ++i) run(&v, v);
  CHECK_EQUAL(v.first(), 1000.0f);
  CHECK_EQUAL(engine.info().queued_ops, 0u);
}

TEST(enqueueing_does_not_wait) {
  const Engine engine;
  std::atomic<bool> gate{false};
  const Vector v(engine, 16, 0);
  Step waiting;
  waiting.gate = &gate;
  run(&v, v, waiting);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) run(&v, v);
  CHECK(std::chrono::steady_clock::now() - start < 1s);
  CHECK(engine.info().queued_ops >= 101);
  gate = true;
  CHECK_EQUAL(v.first(), 101.0f);
}

TEST(a_buffer_may_be_destroyed_after_its_last_op) {
  const Engine engine;
  std::atomic<bool> gate{false};
  const Vector y(engine);
  {
    const Vector x(engine, 16, 5);
    Step waiting;
    waiting.gate = &gate;
    run(&x, y, waiting);
  }
  gate = true;
  CHECK_EQUAL(y.first(), 6.0f);
}

TEST(a_failure_poisons_what_depends_on_it_and_nothing_else) {
  const Engine engine;
  const Vector a(engine, 16, 1), b(engine), c(engine), other(engine);
  ok(f2i_context_set_tag(engine, 42));
  Step failing;
  failing.fail = F2I_NOT_POSITIVE_DEFINITE;
  run(&a, b, failing);
  ok(f2i_context_set_tag(engine, 43));
  std::atomic<int> ran{0};
  Step counted;
  counted.ran = &ran;
  run(&b, c, counted);
  run(&a, other);

  f2i_failure failure = engine.sync();
  CHECK_EQUAL(failure.status, F2I_NOT_POSITIVE_DEFINITE);
  CHECK_EQUAL(failure.tag, 42u);
  CHECK_EQUAL(failure.op, "step");
  CHECK_EQUAL(failure.message, "pivot 7 is not positive");
  CHECK_CONTAINS(f2i_last_error(engine), "step: pivot 7");
  CHECK_EQUAL(ran.load(), 0); // the dependent op was skipped
  CHECK_EQUAL(other.first(), 2.0f);
  CHECK_EQUAL(engine.sync().status, F2I_OK); // reported once

  // c carries the failure of b's op, and reading it says so again.
  Notice notice;
  ok(f2i_notify(engine, c.buffer, Notice::call, &notice));
  CHECK_EQUAL(engine.sync().status, F2I_OK);
  CHECK_EQUAL(notice.calls.load(), 1);
  CHECK_EQUAL(notice.report.status, F2I_NOT_POSITIVE_DEFINITE);
  CHECK_EQUAL(notice.report.tag, 42u);
  float value = -1;
  ok(f2i_buffer_read(engine, c.buffer, 0, &value, 4));
  CHECK_EQUAL(engine.sync().tag, 42u);
  CHECK_EQUAL(value, -1.0f); // nothing meaningless was copied
}

TEST(writing_all_of_a_buffer_heals_it_and_a_part_does_not) {
  const Engine engine;
  const Vector a(engine, 16, 1), b(engine);
  Step failing;
  failing.fail = F2I_NO_CONVERGENCE;
  run(&a, b, failing);
  CHECK_EQUAL(engine.sync().status, F2I_NO_CONVERGENCE);

  const f2i_matrix half_a = a.view(0, 8), half_b = b.view(0, 8);
  ok(enqueue(engine, &half_a, half_b));
  float value = 0;
  ok(f2i_buffer_write(engine, b.buffer, 0, &value, 4));
  CHECK_EQUAL(engine.sync().status, F2I_OK);
  ok(f2i_buffer_read(engine, b.buffer, 0, &value, 4));
  CHECK_EQUAL(engine.sync().status, F2I_NO_CONVERGENCE);

  run(&a, b);
  CHECK_EQUAL(b.first(), 2.0f);

  run(&a, b, failing);
  CHECK_EQUAL(engine.sync().status, F2I_NO_CONVERGENCE);
  const std::vector<float> fresh(16, 9);
  ok(f2i_buffer_write(engine, b.buffer, 0, fresh.data(), 64));
  CHECK_EQUAL(b.first(), 9.0f);
}

TEST(a_failed_op_in_place_poisons_its_input) {
  const Engine engine;
  const Vector v(engine, 16, 1);
  Step failing;
  failing.fail = F2I_INTERNAL;
  run(&v, v, failing);
  run(&v, v);
  CHECK_EQUAL(engine.sync().status, F2I_INTERNAL);
  Notice notice;
  ok(f2i_notify(engine, v.buffer, Notice::call, &notice));
  engine.sync();
  CHECK_EQUAL(notice.report.status, F2I_INTERNAL);
}

TEST(an_exception_in_a_driver_is_a_failure) {
  const Engine engine;
  const Vector v(engine);
  Step throwing;
  throwing.throws = true;
  run(nullptr, v, throwing);
  const f2i_failure failure = engine.sync();
  CHECK_EQUAL(failure.status, F2I_INTERNAL);
  CHECK_EQUAL(failure.message, "thrown by a driver");
}

TEST(the_first_failure_is_reported) {
  const Engine engine;
  const Vector a(engine), b(engine);
  Step first, second;
  first.fail = F2I_NO_CONVERGENCE;
  second.fail = F2I_NOT_POSITIVE_DEFINITE;
  ok(f2i_context_set_tag(engine, 1));
  run(nullptr, a, first);
  ok(f2i_context_set_tag(engine, 2));
  run(nullptr, b, second);
  CHECK_EQUAL(engine.sync().tag, 1u);

  // A notification takes the report just as a sync does.
  run(nullptr, a, first);
  Notice notice;
  ok(f2i_notify(engine, nullptr, Notice::call, &notice));
  CHECK_EQUAL(engine.sync().status, F2I_OK);
  CHECK_EQUAL(notice.report.status, F2I_NO_CONVERGENCE);
}

TEST(a_token_drops_queued_ops_and_stops_the_running_one) {
  const Engine engine;
  f2i_token *token = nullptr;
  ok(f2i_token_create(engine, &token));
  const Vector running(engine, 16, 0), queued(engine, 16, 0), apart(engine, 16, 0);
  std::atomic<bool> never{false};
  std::atomic<int> ran{0}, ran_queued{0};
  Step waiting, counted;
  waiting.gate = &never;
  waiting.ran = &ran;
  counted.ran = &ran_queued;
  ok(f2i_context_set_token(engine, token));
  run(&running, running, waiting);
  run(&queued, queued, counted);
  ok(f2i_context_set_token(engine, nullptr));
  run(&apart, apart);
  while (ran.load() == 0) std::this_thread::yield();

  std::thread other([&] { ok(f2i_token_cancel(token)); }); // from any thread
  f2i_failure failure = engine.sync();
  other.join();
  CHECK_EQUAL(failure.status, F2I_CANCELLED);
  CHECK_EQUAL(failure.message, "cancelled while it ran");
  CHECK_EQUAL(ran_queued.load(), 0);
  CHECK_EQUAL(apart.first(), 1.0f);
  Notice notice;
  ok(f2i_notify(engine, queued.buffer, Notice::call, &notice));
  engine.sync();
  CHECK_EQUAL(notice.report.status, F2I_CANCELLED);
  CHECK_EQUAL(notice.report.message, "cancelled before it ran");
  ok(f2i_token_destroy(token));
}

TEST(tokens_and_contexts_end_in_any_order) {
  f2i_token *token = nullptr;
  {
    const Engine engine;
    ok(f2i_token_create(engine, &token));
    ok(f2i_context_set_token(engine, token));
    const Vector v(engine);
    run(nullptr, v);
  }
  ok(f2i_token_cancel(token)); // outlives its context
  ok(f2i_token_destroy(token));

  const Engine engine;
  ok(f2i_token_create(engine, &token));
  ok(f2i_context_set_token(engine, token));
  std::atomic<bool> gate{false};
  const Vector v(engine);
  Step waiting;
  waiting.gate = &gate;
  run(nullptr, v, waiting);
  ok(f2i_token_destroy(token)); // the op and the context still hold its flag
  run(nullptr, v);
  gate = true;
  CHECK_EQUAL(v.first(), 1.0f);
  ok(f2i_token_destroy(nullptr));
}

TEST(the_ceiling_poisons_and_the_context_stays_usable) {
  const Engine engine(F2I_ISA_AUTO, 2, 10000);
  ok(f2i_context_set_tag(engine, 7));
  Vector large(engine, 3000); // 12000 bytes
  f2i_failure failure = engine.sync();
  CHECK_EQUAL(failure.status, F2I_OUT_OF_MEMORY);
  CHECK_EQUAL(failure.op, "buffer_create");
  CHECK_EQUAL(failure.tag, 7u);
  CHECK_EQUAL(failure.message, "out of memory: asked for 12000 bytes, 0 live, ceiling 10000");

  // Scratch counts too, and is given back.
  const Vector small(engine, 1000, 1);
  Step greedy;
  greedy.scratch = 6001;
  run(&small, small, greedy);
  failure = engine.sync();
  CHECK_EQUAL(failure.status, F2I_OUT_OF_MEMORY);
  CHECK_EQUAL(failure.message, "out of memory: asked for 6001 bytes, 4000 live, ceiling 10000");
  const std::vector<float> ones(1000, 1);
  ok(f2i_buffer_write(engine, small.buffer, 0, ones.data(), 4000));
  greedy.scratch = 6000;
  run(&small, small, greedy);
  CHECK_EQUAL(small.first(), 2.0f);
  CHECK_EQUAL(engine.info().live_bytes, 4000u);
  CHECK_EQUAL(engine.info().peak_bytes, 10000u);
}

TEST(a_buffer_without_storage_gets_a_second_chance) {
  const Engine engine(F2I_ISA_AUTO, 1, 10000);
  auto *first = new Vector(engine, 2000);
  const Vector second(engine, 2000); // no room while the first lives
  CHECK_EQUAL(engine.sync().status, F2I_OUT_OF_MEMORY);
  const f2i_matrix part = second.view(0, 10);
  ok(enqueue(engine, nullptr, part)); // a part of nothing stays poisoned
  CHECK_EQUAL(engine.sync().op, "buffer_create");
  run(nullptr, second); // still no room: now this op's failure
  CHECK_EQUAL(engine.sync().op, "step");
  delete first;
  run(nullptr, second);
  CHECK_EQUAL(second.first(), 1.0f);
}

TEST(memory_is_freed_in_queue_order) {
  const Engine engine(F2I_ISA_AUTO, 2, 3 * 4096);
  const Vector y(engine, 1024);
  for (int i = 0; i < 200; ++i) { // each needs the room of the one before
    const Vector x(engine, 1024, static_cast<float>(i)), z(engine, 1024);
    run(&x, z);
    run(&z, y);
  }
  CHECK_EQUAL(y.first(), 201.0f);
  CHECK_EQUAL(engine.info().live_bytes, 4096u);
  CHECK_EQUAL(engine.info().peak_bytes, 3 * 4096u);
  CHECK_EQUAL(engine.info().live_buffers, 1u);
}

TEST(wait_room_waits_for_queued_frees) {
  const Engine engine(F2I_ISA_AUTO, 1, 8192);
  std::atomic<bool> gate{false};
  {
    const Vector v(engine, 2048);
    Step waiting;
    waiting.gate = &gate;
    run(nullptr, v, waiting);
  }
  const Vector tail(engine, 16);
  run(nullptr, tail);
  std::atomic<bool> returned{false};
  std::thread waiter([&] {
    ok(f2i_wait_room(engine, 4096));
    returned = true;
  });
  std::this_thread::sleep_for(20ms);
  CHECK(!returned.load());
  gate = true;
  waiter.join();
  CHECK(engine.info().live_bytes <= 4096);
  ok(f2i_wait_room(engine, 1 << 30)); // can never fit: returns when the queue is empty
}

TEST(notifications_come_in_order_and_once) {
  const Engine engine;
  const Vector v(engine);
  std::vector<int> order; // queue thread only, until sync
  struct Entry {
    std::vector<int> *order;
    int number;
  };
  std::vector<Entry> entries(50);
  for (int i = 0; i < 50; ++i) {
    entries[static_cast<size_t>(i)] = {&order, i};
    run(nullptr, v);
    ok(f2i_notify(engine, v.buffer, [](void *user, const f2i_failure *failure) {
      auto *const entry = static_cast<Entry *>(user);
      CHECK_EQUAL(failure->status, F2I_OK);
      entry->order->push_back(entry->number);
    }, &entries[static_cast<size_t>(i)]));
  }
  engine.sync();
  CHECK_EQUAL(order.size(), 50u);
  for (int i = 0; i < 50; ++i) CHECK_EQUAL(order[static_cast<size_t>(i)], i);
}

TEST(destroying_a_context_cancels_and_releases_once) {
  std::atomic<int> released{0};
  const auto release = [](void *user) { static_cast<std::atomic<int> *>(user)->fetch_add(1); };
  std::vector<float> memory(64, 1.0f);
  Notice pending[3];
  std::atomic<int> ran{0}, dropped{0};
  {
    Engine engine;
    std::atomic<bool> never{false};
    Step endless, counted;
    endless.gate = &never; // only cancellation ends it
    endless.ran = &ran;
    counted.ran = &dropped;
    f2i_buffer *adopted[3] = {};
    for (auto &buffer : adopted) ok(f2i_buffer_adopt(engine, memory.data(), 256, release, &released, &buffer));
    f2i_buffer *owned = engine.create(64);
    const f2i_matrix y{owned, 0, 1, 16, 16, F2I_F32, 0};
    ok(enqueue(engine, nullptr, y, endless));
    ok(f2i_notify(engine, nullptr, Notice::call, &pending[0]));
    ok(enqueue(engine, nullptr, y, counted));
    ok(f2i_buffer_destroy(engine, adopted[0])); // its release is still queued
    ok(f2i_notify(engine, owned, Notice::call, &pending[1]));
    float sink[16];
    ok(f2i_buffer_read(engine, owned, 0, sink, 64));
    ok(f2i_buffer_write(engine, owned, 0, memory.data(), 64));
    ok(f2i_notify(engine, nullptr, Notice::call, &pending[2]));
    while (ran.load() == 0) std::this_thread::yield();
    CHECK_EQUAL(released.load(), 0);
    const auto start = std::chrono::steady_clock::now();
    engine.destroy();
    CHECK(std::chrono::steady_clock::now() - start < 1s);
  }
  CHECK_EQUAL(released.load(), 3);
  CHECK_EQUAL(dropped.load(), 0);
  for (const auto &notice : pending) {
    CHECK_EQUAL(notice.calls.load(), 1);
    CHECK_EQUAL(notice.report.status, F2I_CANCELLED);
  }
  CHECK_EQUAL(f2i_context_destroy(nullptr), F2I_OK);
}

TEST(adopted_memory_is_used_in_place_and_released_once) {
  std::atomic<int> released{0};
  std::vector<float> memory(16, 3.0f);
  const Engine engine;
  f2i_buffer *buffer = nullptr;
  ok(f2i_buffer_adopt(engine, memory.data(), 64, [](void *user) { static_cast<std::atomic<int> *>(user)->fetch_add(1); },
                      &released, &buffer));
  CHECK_EQUAL(engine.info().live_bytes, 0u);
  const f2i_matrix v{buffer, 0, 1, 16, 16, F2I_F32, 0};
  ok(enqueue(engine, &v, v));
  engine.sync();
  CHECK_EQUAL(memory[15], 4.0f);
  CHECK_EQUAL(released.load(), 0);
  ok(f2i_buffer_destroy(engine, buffer));
  engine.sync();
  CHECK_EQUAL(released.load(), 1);
}

TEST(large_copies_are_exact) {
  const Engine engine(F2I_ISA_AUTO, 3);
  const size_t count = (5 << 20) + 3;
  std::vector<uint8_t> data(count), back(count);
  for (size_t i = 0; i < count; ++i) data[i] = static_cast<uint8_t>(i * 131 >> 3);
  f2i_buffer *const buffer = engine.create(count);
  ok(f2i_buffer_write(engine, buffer, 0, data.data(), count));
  const uint8_t patch[] = {1, 2, 3};
  ok(f2i_buffer_write(engine, buffer, 77, patch, 3));
  ok(f2i_buffer_read(engine, buffer, 0, back.data(), count));
  engine.sync();
  std::memcpy(data.data() + 77, patch, 3);
  CHECK(data == back);
  ok(f2i_buffer_destroy(engine, buffer));
}

TEST(contexts_live_side_by_side) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&good, t] {
      for (int round = 0; round < 5; ++round) { // create, destroy, create works
        const Engine engine(F2I_ISA_AUTO, 1 + t % 3);
        const Vector v(engine, 50, static_cast<float>(t));
        for (int i = 0; i < 100; ++i) run(&v, v);
        if (v.first() == static_cast<float>(t) + 100) good.fetch_add(1);
        CHECK_EQUAL(f2i_buffer_write(engine, v.buffer, 1000, &t, 4), F2I_INVALID_ARGUMENT);
        CHECK_CONTAINS(f2i_last_error(engine), "buffer_write"); // each thread has its own text
      }
    });
  }
  for (auto &thread : threads) thread.join();
  CHECK_EQUAL(good.load(), 30);
}

TEST(a_busy_context_can_be_destroyed) {
  for (int round = 0; round < 50; ++round) {
    Engine engine(F2I_ISA_AUTO, 1 + round % 4);
    f2i_buffer *const buffer = engine.create(400);
    const f2i_matrix v{buffer, 0, 1, 100, 100, F2I_F32, 0};
    for (int i = 0; i < round; ++i) ok(enqueue(engine, nullptr, v));
    if (round % 2 == 0) ok(f2i_buffer_destroy(engine, buffer));
    engine.destroy();
  }
}

TEST(idle_contexts_give_memory_back) {
  const Engine engine;
  {
    const Vector v(engine, 4 << 20, 1);
    engine.sync();
  }
  engine.sync();
  f2i_context *const context = engine;
  CHECK(context->memory.cached() > 0);
  for (int i = 0; i < 2000 && context->memory.cached() > 0; ++i) std::this_thread::sleep_for(10ms);
  CHECK_EQUAL(context->memory.cached(), 0u);
}

TEST(the_processor_has_nothing_to_remark) {
  const Engine engine(F2I_ISA_AUTO, 1);
  char text[8] = "before";
  ok(f2i_context_remark(engine, text, sizeof text));
  CHECK_EQUAL(std::string(text), "");
}

CHECK_MAIN();
