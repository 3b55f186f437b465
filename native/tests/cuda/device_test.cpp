// What a context on a device does beside its ops: how it is opened, memory and its ceiling, copies, failures.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "engine.hpp"

using namespace engine;

namespace {

f2i_matrix matrix(f2i_buffer *buffer, int64_t rows, int64_t cols) { return {buffer, 0, rows, cols, cols, F2I_F32, 0}; }

f2i_status double_it(const Engine &engine, f2i_buffer *x, int64_t count) {
  f2i_elementwise_args args = F2I_INIT(f2i_elementwise_args);
  args.kind = F2I_MUL;
  args.scalar = 2;
  args.a = args.y = matrix(x, 1, count);
  return f2i_elementwise(engine, &args);
}

std::vector<float> read(const Engine &engine, f2i_buffer *buffer, size_t count) {
  std::vector<float> values(count);
  ok(f2i_buffer_read(engine, buffer, 0, values.data(), count * sizeof(float)));
  ok(f2i_sync(engine, nullptr));
  return values;
}

} // namespace

TEST(a_device_is_described) {
  f2i_device_info info = F2I_INIT(f2i_device_info);
  ok(f2i_device_describe(F2I_DEVICE_CUDA, 0, nullptr, &info));
  CHECK_EQUAL(info.capability, 90);
  CHECK_EQUAL(info.count, 1);
  CHECK(info.memory_bytes > 0 && info.processors > 0);
  CHECK_EQUAL(f2i_device_describe(F2I_DEVICE_CUDA, 1, nullptr, &info), F2I_UNSUPPORTED);
  CHECK_CONTAINS(f2i_last_error(nullptr), "no GPU of this index: expected one below 1, found 1");
  CHECK_EQUAL(f2i_device_describe(F2I_DEVICE_CUDA, -1, nullptr, &info), F2I_INVALID_ARGUMENT);
  CHECK_EQUAL(f2i_device_describe(7, 0, nullptr, &info), F2I_INVALID_ARGUMENT);
  ok(f2i_device_describe(F2I_DEVICE_CPU, 0, nullptr, &info));
  CHECK(info.processors > 0);
}

TEST(a_gpu_that_is_too_old_hides_no_other) {
  setenv("F2I_SHIM_DEVICES", "2", 1);
  const char *const before = std::getenv("F2I_SHIM_CAPABILITY");
  const std::string kept = before != nullptr ? before : "90";
  setenv("F2I_SHIM_CAPABILITY", "70,80", 1);
  f2i_device_info info = F2I_INIT(f2i_device_info);
  CHECK_EQUAL(f2i_device_describe(F2I_DEVICE_CUDA, 0, nullptr, &info), F2I_UNSUPPORTED);
  CHECK_EQUAL(info.count, 2); // there is one to ask for
  ok(f2i_device_describe(F2I_DEVICE_CUDA, 1, nullptr, &info));
  CHECK_EQUAL(info.capability, 80);
  CHECK_EQUAL(f2i_device_describe(F2I_DEVICE_CUDA, 0, "/nowhere.so", &info), F2I_UNSUPPORTED);
  CHECK_EQUAL(info.count, 0);
  setenv("F2I_SHIM_CAPABILITY", kept.c_str(), 1);
  unsetenv("F2I_SHIM_DEVICES");
}

TEST(free_memory_is_told_to_those_who_ask) {
  f2i_device_info info = F2I_INIT(f2i_device_info);
  ok(f2i_device_describe(F2I_DEVICE_CUDA, 0, nullptr, &info));
  const uint64_t before = info.free_bytes;
  CHECK(before > 0 && before <= info.memory_bytes);
  const Engine engine;
  (void)engine.create(64 << 20);
  ok(f2i_sync(engine, nullptr));
  ok(f2i_device_describe(F2I_DEVICE_CUDA, 0, nullptr, &info));
  CHECK(info.free_bytes <= before - (64 << 20));
  setenv("F2I_SHIM_NO_MEMORY_INFO", "1", 1); // CUDA does not say: unknown
  ok(f2i_device_describe(F2I_DEVICE_CUDA, 0, nullptr, &info));
  CHECK_EQUAL(info.free_bytes, 0u);
  unsetenv("F2I_SHIM_NO_MEMORY_INFO");
  info.struct_size = 96; // a caller of the version before
  info.free_bytes = 7;
  ok(f2i_device_describe(F2I_DEVICE_CUDA, 0, nullptr, &info));
  CHECK_EQUAL(info.free_bytes, 7u);
  CHECK_EQUAL(info.struct_size, 96u);
}

TEST(what_is_missing_is_said) {
  struct {
    const char *variable, *value, *words;
  } const cases[] = {
      {"F2I_SHIM_DRIVER", "0", "no NVIDIA driver here: libcuda.so.1 was not found"},
      {"F2I_SHIM_DRIVER", "12080", "expected one for CUDA 13.0 or newer, found CUDA 12.8"},
      {"F2I_SHIM_DEVICES", "0", "the NVIDIA driver is there and sees no GPU"},
      {"F2I_SHIM_NO_IMAGE", "1", "no code for compute capability 9.0 of host shim: build it with F2I_CUDA_ARCHITECTURES=90"},
      {"F2I_SHIM_CAPABILITY", "70", "expected compute capability 7.5 (Turing) or newer, found 7.0 of host shim"},
  };
  for (const auto &[variable, value, words] : cases) {
    const char *const before = std::getenv(variable);
    const std::string kept = before != nullptr ? before : "";
    setenv(variable, value, 1);
    f2i_device_info info = F2I_INIT(f2i_device_info);
    CHECK_EQUAL(f2i_device_describe(F2I_DEVICE_CUDA, 0, nullptr, &info), F2I_UNSUPPORTED);
    CHECK_CONTAINS(f2i_last_error(nullptr), words);
    f2i_context_desc desc = F2I_INIT(f2i_context_desc);
    desc.abi_version = F2I_ABI_VERSION;
    desc.device = F2I_DEVICE_CUDA;
    f2i_context *context = nullptr;
    CHECK_EQUAL(f2i_context_create(&desc, &context), F2I_UNSUPPORTED);
    CHECK_CONTAINS(f2i_last_error(nullptr), words);
    if (before != nullptr) setenv(variable, kept.c_str(), 1);
    else unsetenv(variable);
  }
}

TEST(a_library_that_is_not_there_is_named) {
  f2i_device_info info = F2I_INIT(f2i_device_info);
  CHECK_EQUAL(f2i_device_describe(F2I_DEVICE_CUDA, 0, "/nowhere/libf2i_cuda.so", &info), F2I_UNSUPPORTED);
  CHECK_CONTAINS(f2i_last_error(nullptr), "/nowhere/libf2i_cuda.so");
  f2i_context_desc desc = F2I_INIT(f2i_context_desc);
  desc.abi_version = F2I_ABI_VERSION;
  desc.device = F2I_DEVICE_CUDA;
  desc.library = "/nowhere/libf2i_cuda.so";
  f2i_context *context = nullptr;
  CHECK_EQUAL(f2i_context_create(&desc, &context), F2I_UNSUPPORTED);
  CHECK(context == nullptr);
  desc.library = nullptr;
  desc.device_index = 5;
  CHECK_EQUAL(f2i_context_create(&desc, &context), F2I_UNSUPPORTED);
}

TEST(a_caller_of_the_first_version_gets_the_processor) {
  f2i_context_desc desc = F2I_INIT(f2i_context_desc);
  desc.struct_size = 24;
  desc.abi_version = F2I_ABI_VERSION;
  desc.threads = 1;
  desc.device = 99; // beyond what it says it has
  f2i_context *context = nullptr;
  ok(f2i_context_create(&desc, &context));
  f2i_context_destroy(context);
}

TEST(copies_of_every_length_arrive) {
  const Engine engine;
  for (const size_t count : {size_t{1}, size_t{1000}, size_t{5} << 20}) { // the last one takes several stages
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i % 9973);
    f2i_buffer *const buffer = engine.create(count * sizeof(float));
    ok(f2i_buffer_write(engine, buffer, 0, values.data(), count * sizeof(float)));
    ok(double_it(engine, buffer, static_cast<int64_t>(count)));
    const auto found = read(engine, buffer, count);
    bool right = true;
    for (size_t i = 0; i < count; ++i) right = right && found[i] == 2 * values[i];
    CHECK(right);
    ok(f2i_buffer_destroy(engine, buffer));
  }
}

TEST(memory_and_files_of_the_caller_are_copied) {
  const Engine engine;
  std::vector<float> values = {1, 2, 3};
  static int released;
  released = 0;
  f2i_buffer *adopted = nullptr, *mapped = nullptr;
  ok(f2i_buffer_adopt(engine, values.data(), 12, [](void *) { ++released; }, nullptr, &adopted));
  ok(f2i_sync(engine, nullptr));
  CHECK_EQUAL(released, 1); // the copy is made: the memory is the caller's again
  values = {0, 0, 0};
  CHECK(read(engine, adopted, 3) == std::vector<float>({1, 2, 3}));

  char path[] = "/tmp/f2i_device_test_XXXXXX";
  const int file = mkstemp(path);
  CHECK(file >= 0 && write(file, "1234abcdefgh", 12) == 12);
  close(file);
  ok(f2i_buffer_map_file(engine, path, 4, 8, &mapped));
  std::string text(8, ' ');
  ok(f2i_buffer_read(engine, mapped, 0, text.data(), 8));
  ok(f2i_sync(engine, nullptr));
  CHECK_EQUAL(text, "abcdefgh");
  CHECK_EQUAL(f2i_buffer_write(engine, mapped, 0, "x", 1), F2I_INVALID_ARGUMENT);
  CHECK_EQUAL(double_it(engine, mapped, 2), F2I_INVALID_ARGUMENT);
  std::remove(path);
}

// Sums in one piece would need no room, and have other bits: the ceiling must not choose.
TEST(a_product_without_room_for_its_ranges_fails) {
  constexpr int64_t m = 48, n = 40, k = 8192;
  const uint64_t operands = 4 * (m * k + k * n + m * n);
  const auto multiply = [&](uint64_t limit, f2i_failure &failure) {
    const Engine engine(F2I_ISA_AUTO, 1, limit);
    const std::vector<float> ones(static_cast<size_t>(m * k), 1);
    f2i_buffer *const a = engine.create(4 * m * k), *const b = engine.create(4 * k * n), *const y = engine.create(4 * m * n);
    ok(f2i_buffer_write(engine, a, 0, ones.data(), 4 * m * k));
    ok(f2i_buffer_write(engine, b, 0, ones.data(), 4 * k * n));
    f2i_gemm_args args = F2I_INIT(f2i_gemm_args);
    args.alpha = 1;
    args.a = matrix(a, m, k), args.b = matrix(b, k, n), args.y = matrix(y, m, n);
    ok(f2i_gemm(engine, &args));
    failure = engine.sync();
    if (failure.status == F2I_OK) return read(engine, y, 1)[0];
    ok(double_it(engine, a, 100)); // the context goes on
    return read(engine, a, 1)[0];
  };
  f2i_failure failure;
  CHECK_EQUAL(multiply(0, failure), static_cast<float>(k));
  CHECK_EQUAL(failure.status, F2I_OK);
  CHECK_EQUAL(multiply(operands + 4096, failure), 2.0f);
  CHECK_EQUAL(failure.status, F2I_OUT_OF_MEMORY);
  CHECK_CONTAINS(failure.op, "gemm");
  CHECK_CONTAINS(failure.message, "no room for sums of ranges of terms");
}

TEST(out_of_memory_leaves_the_context_usable) {
  const Engine engine(F2I_ISA_AUTO, 1, 1 << 20);
  f2i_buffer *const large = engine.create(2 << 20), *const small = engine.create(1024);
  const f2i_failure failure = engine.sync();
  CHECK_EQUAL(failure.status, F2I_OUT_OF_MEMORY);
  CHECK_CONTAINS(failure.message, "ceiling 1048576");
  std::vector<float> values(256, 3);
  ok(f2i_buffer_write(engine, small, 0, values.data(), 1024));
  ok(double_it(engine, small, 256));
  CHECK(read(engine, small, 256) == std::vector<float>(256, 6));
  ok(f2i_buffer_destroy(engine, large));
  ok(f2i_buffer_destroy(engine, small));
  ok(f2i_sync(engine, nullptr));
  CHECK_EQUAL(engine.info().live_bytes, 0u);
}

TEST(a_failed_op_poisons_what_depends_on_it) {
  const Engine engine;
  const Device<float> a(engine, Matrix<float>(3, 3).fill(-1)), y(engine, Matrix<float>(3, 3));
  f2i_cholesky_factor_args args = F2I_INIT(f2i_cholesky_factor_args);
  args.a = a;
  args.y = y;
  ok(f2i_cholesky_factor(engine, &args));
  ok(double_it(engine, y.buffer(), 9));
  const f2i_failure failure = engine.sync();
  CHECK_EQUAL(failure.status, F2I_NOT_POSITIVE_DEFINITE);
  CHECK_CONTAINS(failure.op, "cholesky_factor");
  CHECK_CONTAINS(failure.message, "pivot 0 is -1");
}

TEST(a_device_tells_which_ops_it_has) {
  const Engine engine;
  for (const char *op : {"gemm", "eigh", "attention"}) ok(f2i_context_supports(engine, op));
  CHECK_EQUAL(f2i_context_supports(engine, "gem"), F2I_INVALID_ARGUMENT);
}

CHECK_MAIN();
