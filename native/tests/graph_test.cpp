// Graphs: recorded once, launched often, and never other than what was recorded. On the processor and, with
// F2I_TEST_DEVICE, on a device.
#include "engine.hpp"

using namespace engine;

namespace {

f2i_matrix matrix(f2i_buffer *buffer, int64_t rows, int64_t cols) { return {buffer, 0, rows, cols, cols, F2I_F32, 0}; }

f2i_status multiply(const Engine &engine, const f2i_matrix &a, const f2i_matrix &b, const f2i_matrix &y) {
  f2i_gemm_args args = F2I_INIT(f2i_gemm_args);
  args.alpha = 1;
  args.a = a, args.b = b, args.y = y;
  return f2i_gemm(engine, &args);
}

f2i_status elementwise(const Engine &engine, f2i_elementwise_kind kind, const f2i_matrix &a, const f2i_matrix &b,
                       double scalar, const f2i_matrix &y) {
  f2i_elementwise_args args = F2I_INIT(f2i_elementwise_args);
  args.kind = kind, args.scalar = scalar;
  args.a = a, args.b = b, args.y = y;
  return f2i_elementwise(engine, &args);
}

f2i_status factor(const Engine &engine, const f2i_matrix &a, const f2i_matrix &y) {
  f2i_cholesky_factor_args args = F2I_INIT(f2i_cholesky_factor_args);
  args.a = a, args.y = y;
  return f2i_cholesky_factor(engine, &args);
}

/// x [rows, width] is moved by what a small network makes of it: weights, a list of columns, buffers in between that
/// come and go, one of them as large as one before.
struct Step {
  static constexpr int64_t rows = 5, width = 33;
  f2i_matrix x, w, y;
  std::vector<int32_t> columns;

  Step(const f2i_matrix &x_, const f2i_matrix &w_, const f2i_matrix &y_) : x(x_), w(w_), y(y_) {
    for (int32_t j = 0; j < width; ++j) columns.push_back(static_cast<int32_t>((7 * j + 3) % width));
  }
  void enqueue(const Engine &engine) const {
    f2i_buffer *const first = engine.create(rows * width * 4);
    ok(multiply(engine, x, w, matrix(first, rows, width)));
    f2i_buffer *const second = engine.create(rows * width * 4);
    f2i_gather_args gather = F2I_INIT(f2i_gather_args);
    gather.col_indices = columns.data();
    gather.x = matrix(first, rows, width);
    gather.y = matrix(second, rows, width);
    ok(f2i_gather(engine, &gather));
    ok(f2i_buffer_destroy(engine, first));
    f2i_buffer *const third = engine.create(rows * width * 4); // where the first one was
    f2i_softmax_args softmax = F2I_INIT(f2i_softmax_args);
    softmax.x = matrix(second, rows, width);
    softmax.y = matrix(third, rows, width);
    ok(f2i_softmax(engine, &softmax));
    ok(elementwise(engine, F2I_ADD, matrix(third, rows, width), x, 0, y));
    ok(elementwise(engine, F2I_MUL, y, {}, 0.75, x));
    ok(f2i_buffer_destroy(engine, second));
    ok(f2i_buffer_destroy(engine, third));
  }
};

/// The state after some steps, by a graph or op by op; other values are written in between.
std::vector<float> sample(const Engine &engine, bool by_graph) {
  const Device<float> x(engine, Matrix<float>(Step::rows, Step::width).random(1)),
      w(engine, Matrix<float>(Step::width, Step::width).random(2)), y(engine, Matrix<float>(Step::rows, Step::width));
  const Step step(x, w, y);
  std::vector<float> all;
  f2i_graph *graph = nullptr;
  if (by_graph) {
    ok(f2i_graph_begin(engine));
    step.enqueue(engine);
    ok(f2i_graph_end(engine, &graph));
  }
  for (unsigned turn = 0; turn < 6; ++turn) {
    if (turn == 3) {
      const auto other = Matrix<float>(Step::rows, Step::width).random(9);
      ok(f2i_buffer_write(engine, x.buffer(), 0, other.memory.data(), other.memory.size() * 4));
    }
    if (by_graph) ok(f2i_graph_launch(engine, graph));
    else step.enqueue(engine);
    const auto found = (turn % 2 == 0 ? y : x).download().elements();
    all.insert(all.end(), found.begin(), found.end());
  }
  ok(f2i_graph_destroy(engine, graph));
  return all;
}

float first_of(const Engine &engine, f2i_buffer *buffer) {
  float value = -1;
  ok(f2i_buffer_read(engine, buffer, 0, &value, 4));
  ok(f2i_sync(engine, nullptr));
  return value;
}

} // namespace

TEST(a_graph_gives_the_same_bits_as_its_ops) {
  const Engine plain, recorded;
  const auto expected = sample(plain, false), found = sample(recorded, true);
  CHECK(expected.size() == 6 * Step::rows * Step::width);
  CHECK(std::memcmp(expected.data(), found.data(), found.size() * 4) == 0);
  CHECK(std::none_of(found.begin(), found.end(), [](float v) { return std::isnan(v); }));
  ok(f2i_sync(recorded, nullptr));
  CHECK_EQUAL(recorded.info().live_bytes, 0u);
  CHECK_EQUAL(recorded.info().live_buffers, 0u);
}

TEST(nothing_runs_while_it_is_recorded) {
  const Engine engine;
  const Device<float> x(engine, Matrix<float>(1, 4).fill(3));
  f2i_graph *graph = nullptr;
  ok(f2i_graph_begin(engine));
  ok(elementwise(engine, F2I_MUL, x, {}, 2, x));
  ok(f2i_graph_end(engine, &graph));
  CHECK_EQUAL(first_of(engine, x.buffer()), 3.0f);
  for (int i = 0; i < 3; ++i) ok(f2i_graph_launch(engine, graph));
  CHECK_EQUAL(first_of(engine, x.buffer()), 24.0f);
  ok(f2i_graph_launch(engine, graph));
  ok(f2i_graph_destroy(engine, graph)); // the launch before it still runs
  CHECK_EQUAL(first_of(engine, x.buffer()), 48.0f);
}

TEST(calls_that_make_no_sense_are_refused) {
  const Engine engine;
  const Device<float> x(engine, Matrix<float>(1, 4).fill(3));
  float value = 0;
  f2i_graph *graph = nullptr;
  CHECK_EQUAL(f2i_graph_end(engine, &graph), F2I_INVALID_ARGUMENT);
  CHECK_CONTAINS(f2i_last_error(engine), "graph_end: expected a recording, found none");
  CHECK_EQUAL(f2i_graph_launch(engine, nullptr), F2I_INVALID_ARGUMENT);
  ok(f2i_graph_destroy(engine, nullptr));
  ok(f2i_graph_begin(engine));
  CHECK_EQUAL(f2i_graph_begin(engine), F2I_INVALID_ARGUMENT);
  CHECK_EQUAL(f2i_buffer_write(engine, x.buffer(), 0, &value, 4), F2I_INVALID_ARGUMENT);
  CHECK_CONTAINS(f2i_last_error(engine), "buffer_write: expected no recording of a graph, found one");
  CHECK_EQUAL(f2i_buffer_read(engine, x.buffer(), 0, &value, 4), F2I_INVALID_ARGUMENT);
  ok(elementwise(engine, F2I_ADD, x, {}, 1, x));
  CHECK_EQUAL(elementwise(engine, F2I_ADD, x, matrix(x.buffer(), 2, 2), 0, x), F2I_INVALID_ARGUMENT);
  CHECK_CONTAINS(f2i_last_error(engine), "elementwise: "); // and the recording goes on
  ok(elementwise(engine, F2I_ADD, x, {}, 10, x));
  ok(f2i_graph_end(engine, &graph));
  ok(f2i_graph_begin(engine));
  CHECK_EQUAL(f2i_graph_launch(engine, graph), F2I_INVALID_ARGUMENT);
  ok(f2i_graph_end(engine, nullptr)); // dropped
  ok(f2i_graph_launch(engine, graph));
  CHECK_EQUAL(first_of(engine, x.buffer()), 14.0f);
  const Engine another;
  CHECK_EQUAL(f2i_graph_launch(another, graph), F2I_INVALID_ARGUMENT);
  CHECK_CONTAINS(f2i_last_error(another), "expected one of this context");
  ok(f2i_graph_destroy(engine, graph));
}

TEST(buffers_of_a_recording_may_outlive_it) {
  const Engine engine;
  const Device<float> x(engine, Matrix<float>(1, 4).fill(5));
  f2i_graph *graph = nullptr;
  ok(f2i_graph_begin(engine));
  f2i_buffer *const result = engine.create(16);
  ok(elementwise(engine, F2I_MUL, x, {}, 3, matrix(result, 1, 4)));
  ok(f2i_graph_end(engine, &graph));
  ok(f2i_graph_launch(engine, graph));
  CHECK_EQUAL(first_of(engine, result), 15.0f);
  ok(f2i_graph_destroy(engine, graph));
  CHECK_EQUAL(first_of(engine, result), 15.0f);
  ok(f2i_buffer_destroy(engine, result));
  // One of a recording that was dropped is a buffer, too.
  ok(f2i_graph_begin(engine));
  f2i_buffer *const left = engine.create(16), *const gone = engine.create(16);
  ok(f2i_buffer_destroy(engine, gone));
  ok(f2i_graph_end(engine, nullptr));
  ok(elementwise(engine, F2I_MUL, x, {}, 2, matrix(left, 1, 4)));
  CHECK_EQUAL(first_of(engine, left), 10.0f);
  ok(f2i_buffer_destroy(engine, left));
  ok(f2i_sync(engine, nullptr));
  CHECK_EQUAL(engine.info().live_bytes, 16u);
}

TEST(a_buffer_that_a_graph_holds_stays) {
  const Engine engine;
  const Device<float> y(engine, Matrix<float>(1, 4).fill(0));
  std::vector<float> ones(4, 1);
  f2i_buffer *const x = engine.create(16), *const unused = engine.create(16);
  ok(f2i_buffer_write(engine, x, 0, ones.data(), 16));
  f2i_graph *graph = nullptr, *second = nullptr;
  for (f2i_graph **each : {&graph, &second}) {
    ok(f2i_graph_begin(engine));
    ok(elementwise(engine, F2I_ADD, y, matrix(x, 1, 4), 0, y));
    ok(f2i_graph_end(engine, each));
  }
  ok(f2i_buffer_destroy(engine, x));
  ok(f2i_buffer_destroy(engine, unused));
  f2i_buffer *const others[] = {engine.create(16), engine.create(16)}; // would take its place
  const std::vector<float> noise(4, 77);
  for (f2i_buffer *other : others) ok(f2i_buffer_write(engine, other, 0, noise.data(), 16));
  ok(f2i_graph_launch(engine, graph));
  ok(f2i_graph_destroy(engine, graph));
  ok(f2i_graph_launch(engine, second));
  CHECK_EQUAL(first_of(engine, y.buffer()), 2.0f);
  CHECK_EQUAL(engine.info().live_bytes, 64u); // x, y and the others
  CHECK_EQUAL(engine.info().live_buffers, 3u);
  ok(f2i_graph_destroy(engine, second));
  for (f2i_buffer *other : others) ok(f2i_buffer_destroy(engine, other));
  ok(f2i_sync(engine, nullptr));
  CHECK_EQUAL(engine.info().live_bytes, 16u);
}

TEST(failures_poison_as_without_a_graph) {
  const Engine engine;
  Matrix<float> good(2, 2), bad(2, 2);
  bad.fill(-1);
  good.fill(0);
  good(0, 0) = good(1, 1) = 4;
  const Device<float> a(engine, good), l(engine, Matrix<float>(2, 2)), z(engine, Matrix<float>(2, 2).fill(1));
  f2i_graph *graph = nullptr;
  ok(f2i_context_set_tag(engine, 41));
  ok(f2i_graph_begin(engine));
  ok(factor(engine, a, l));
  ok(elementwise(engine, F2I_ADD, l, {}, 1, l));
  ok(f2i_context_set_tag(engine, 42));
  ok(elementwise(engine, F2I_ADD, z, {}, 1, z));
  ok(f2i_graph_end(engine, &graph));
  ok(f2i_graph_launch(engine, graph));
  CHECK_EQUAL(l.download()(0, 0), 3.0f);
  ok(f2i_buffer_write(engine, a.buffer(), 0, bad.memory.data(), 16));
  ok(f2i_graph_launch(engine, graph));
  const f2i_failure failure = engine.sync();
  CHECK_EQUAL(failure.status, F2I_NOT_POSITIVE_DEFINITE);
  CHECK_EQUAL(std::string(failure.op), "cholesky_factor");
  CHECK_EQUAL(failure.tag, 41u);
  float value = 0;
  ok(f2i_buffer_read(engine, l.buffer(), 0, &value, 4));
  CHECK_EQUAL(engine.sync().status, F2I_NOT_POSITIVE_DEFINITE);
  CHECK_EQUAL(z.download()(0, 0), 3.0f); // nothing to do with it
  ok(f2i_buffer_write(engine, a.buffer(), 0, good.memory.data(), 16));
  ok(f2i_graph_launch(engine, graph));
  CHECK_EQUAL(l.download()(0, 0), 3.0f); // healed by being written anew
  ok(f2i_graph_destroy(engine, graph));
}

TEST(a_poisoned_input_poisons_what_a_graph_makes_of_it) {
  const Engine engine;
  const Device<float> bad(engine, Matrix<float>(2, 2).fill(-1)), x(engine, Matrix<float>(2, 2).fill(1)),
      y(engine, Matrix<float>(2, 2).fill(0)), z(engine, Matrix<float>(2, 2).fill(1));
  f2i_graph *graph = nullptr;
  ok(f2i_graph_begin(engine));
  ok(elementwise(engine, F2I_MUL, x, {}, 2, y));
  ok(elementwise(engine, F2I_ADD, z, {}, 1, z));
  ok(f2i_graph_end(engine, &graph));
  ok(factor(engine, bad, x)); // known on the processor, still to be found out on a device
  ok(f2i_graph_launch(engine, graph));
  struct Notice {
    f2i_failure report;
    static void call(void *user, const f2i_failure *failure) { static_cast<Notice *>(user)->report = *failure; }
  } of_y{}, of_z{};
  ok(f2i_notify(engine, y.buffer(), Notice::call, &of_y));
  ok(f2i_notify(engine, z.buffer(), Notice::call, &of_z));
  CHECK_EQUAL(engine.sync().status, F2I_NOT_POSITIVE_DEFINITE);
  CHECK_EQUAL(of_y.report.status, F2I_NOT_POSITIVE_DEFINITE);
  CHECK_EQUAL(of_z.report.status, F2I_OK);
  ok(f2i_graph_destroy(engine, graph));
}

TEST(a_launch_can_be_cancelled) {
  const Engine engine;
  const Device<float> x(engine, Matrix<float>(1, 4).fill(1));
  f2i_graph *graph = nullptr;
  ok(f2i_graph_begin(engine));
  ok(elementwise(engine, F2I_ADD, x, {}, 1, x));
  ok(f2i_graph_end(engine, &graph));
  f2i_token *token = nullptr;
  ok(f2i_token_create(engine, &token));
  ok(f2i_token_cancel(token));
  ok(f2i_context_set_token(engine, token));
  ok(f2i_graph_launch(engine, graph));
  ok(f2i_context_set_token(engine, nullptr));
  CHECK_EQUAL(engine.sync().status, F2I_CANCELLED);
  const std::vector<float> ones(4, 1);
  ok(f2i_buffer_write(engine, x.buffer(), 0, ones.data(), 16));
  ok(f2i_graph_launch(engine, graph)); // the token was that launch's
  CHECK_EQUAL(first_of(engine, x.buffer()), 2.0f);
  ok(f2i_token_destroy(token));
  ok(f2i_graph_destroy(engine, graph));
}

TEST(a_graph_counts_under_the_ceiling) {
  const Engine engine(F2I_ISA_AUTO, 1, 4096);
  const Device<float> x(engine, Matrix<float>(1, 4).fill(1));
  f2i_graph *graph = nullptr;
  ok(f2i_graph_begin(engine));
  f2i_buffer *const large = engine.create(8192);
  ok(elementwise(engine, F2I_ADD, matrix(x.buffer(), 1, 1), {}, 1, matrix(x.buffer(), 1, 1)));
  f2i_elementwise_args copy = F2I_INIT(f2i_elementwise_args);
  copy.kind = F2I_ABS;
  copy.a = matrix(x.buffer(), 1, 4);
  copy.y = matrix(large, 1, 4);
  ok(f2i_elementwise(engine, &copy));
  ok(f2i_buffer_destroy(engine, large));
  ok(f2i_graph_end(engine, &graph));
  ok(f2i_graph_launch(engine, graph));
  const f2i_failure failure = engine.sync();
  CHECK_EQUAL(failure.status, F2I_OUT_OF_MEMORY);
  CHECK_CONTAINS(failure.message, "asked for 8192 bytes");
  ok(f2i_graph_destroy(engine, graph));
  CHECK_EQUAL(first_of(engine, x.buffer()), 2.0f); // the context goes on
}

/// y <- 3 x by way of buffers of so many kilobytes, of which neighbours live at once; the last one's neighbour is y.
void through(const Engine &engine, const f2i_matrix &x, const f2i_matrix &y, const std::vector<uint64_t> &kilobytes) {
  f2i_buffer *before = nullptr;
  f2i_matrix from = x;
  for (const uint64_t size : kilobytes) {
    f2i_buffer *const next = engine.create(size << 10);
    // Written as a whole: by rows of the extents of x, the first of which counts.
    const auto rows = static_cast<int64_t>((size << 10) / 16);
    f2i_gather_args args = F2I_INIT(f2i_gather_args);
    const std::vector<int32_t> first(static_cast<size_t>(rows), 0);
    args.row_indices = first.data();
    args.x = from, args.y = matrix(next, rows, 4);
    ok(f2i_gather(engine, &args));
    ok(f2i_buffer_destroy(engine, before));
    before = next;
    from = matrix(next, rows, 4);
  }
  from.rows = 1;
  ok(elementwise(engine, F2I_MUL, from, {}, 3, y));
  ok(f2i_buffer_destroy(engine, before));
}

TEST(buffers_that_do_not_live_at_once_share_memory) {
  const Engine engine;
  const Device<float> x(engine, Matrix<float>(1, 4).fill(2)), y(engine, Matrix<float>(1, 4).fill(0));
  f2i_graph *graph = nullptr;
  ok(f2i_graph_begin(engine));
  through(engine, x, y, {1, 8, 2, 64, 3, 32, 5, 16, 1});
  ok(f2i_graph_end(engine, &graph));
  for (int turn = 0; turn < 3; ++turn) ok(f2i_graph_launch(engine, graph));
  CHECK_EQUAL(first_of(engine, y.buffer()), 6.0f);
  // Every other one is in the block of the largest; the others in one of the largest of them.
  const uint64_t lists = engine.info().live_bytes - 32 - ((64 + 5) << 10);
  CHECK(lists == 0 || lists == (33u << 10)); // of gather, on a device: four bytes a row
  ok(f2i_graph_destroy(engine, graph));
  ok(f2i_sync(engine, nullptr));
  CHECK_EQUAL(engine.info().live_bytes, 32u);
}

TEST(a_graph_without_room_for_itself_takes_no_more_than_its_ops) {
  // 4 and 2 live at once, then 3 and 3: ops need 6 at a time, blocks for all of them 7.
  const Engine engine(F2I_ISA_AUTO, 1, (6 << 16) + 4096);
  const Device<float> x(engine, Matrix<float>(1, 4).fill(2)), y(engine, Matrix<float>(1, 4).fill(0)),
      z(engine, Matrix<float>(1, 4).fill(0));
  f2i_graph *graph = nullptr;
  ok(f2i_graph_begin(engine));
  const auto pair = [&](uint64_t first, uint64_t second, const f2i_matrix &result) {
    f2i_buffer *const a = engine.create(first << 16), *const b = engine.create(second << 16);
    const auto whole = [](f2i_buffer *buffer, uint64_t size) { return matrix(buffer, 1, static_cast<int64_t>(size << 14)); };
    f2i_random_normal_args draw = F2I_INIT(f2i_random_normal_args);
    draw.seed = 1;
    draw.y = whole(a, first);
    ok(f2i_random_normal(engine, &draw));
    draw.y = whole(b, second);
    ok(f2i_random_normal(engine, &draw)); // the same numbers
    ok(elementwise(engine, F2I_SUB, matrix(a, 1, 4), matrix(b, 1, 4), 0, result));
    ok(elementwise(engine, F2I_ADD, result, x, 0, result));
    ok(f2i_buffer_destroy(engine, a));
    ok(f2i_buffer_destroy(engine, b));
  };
  pair(4, 2, y);
  pair(3, 3, z);
  ok(f2i_graph_end(engine, &graph));
  for (int turn = 0; turn < 3; ++turn) {
    ok(f2i_graph_launch(engine, graph));
    CHECK_EQUAL(engine.sync().status, F2I_OK);
    CHECK_EQUAL(engine.info().live_bytes, 48u); // nothing is kept from launch to launch
  }
  CHECK_EQUAL(first_of(engine, y.buffer()), 2.0f);
  CHECK_EQUAL(first_of(engine, z.buffer()), 2.0f);
  ok(f2i_graph_destroy(engine, graph));
}

TEST(a_context_ends_with_recordings_and_graphs) {
  Engine engine;
  f2i_buffer *const x = engine.create(16);
  f2i_graph *graph = nullptr;
  ok(f2i_graph_begin(engine));
  f2i_buffer *const between = engine.create(16);
  ok(elementwise(engine, F2I_ADD, matrix(x, 1, 4), {}, 1, matrix(between, 1, 4)));
  ok(f2i_buffer_destroy(engine, between));
  ok(f2i_graph_end(engine, &graph));
  ok(f2i_buffer_destroy(engine, x));
  for (int i = 0; i < 20; ++i) ok(f2i_graph_launch(engine, graph));
  ok(f2i_graph_begin(engine));
  f2i_buffer *const open = engine.create(16);
  ok(elementwise(engine, F2I_ADD, matrix(open, 1, 4), {}, 1, matrix(open, 1, 4)));
  engine.destroy();
  CHECK(true);
}

CHECK_MAIN();
