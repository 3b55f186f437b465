// File-backed buffers: contents at any offset, and what is refused.
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include "engine.hpp"

using namespace engine;

namespace {

/// A file of `count` floats 0, 1, 2, ... after `skip` bytes, removed at the end.
struct File {
  std::string path;
  explicit File(int count, int skip = 0) {
    char name[] = "/tmp/f2i-map-XXXXXX";
    close(mkstemp(name));
    path = name;
    std::ofstream out(path, std::ios::binary);
    out << std::string(static_cast<size_t>(skip), 'x');
    for (int i = 0; i < count; ++i) {
      const auto value = static_cast<float>(i);
      out.write(reinterpret_cast<const char *>(&value), 4);
    }
  }
  ~File() { std::remove(path.c_str()); }
};

f2i_status map(const Engine &engine, const std::string &path, uint64_t offset, uint64_t bytes, f2i_buffer **out) {
  return f2i_buffer_map_file(engine, path.c_str(), offset, bytes, out);
}

} // namespace

TEST(a_range_of_a_file_is_an_operand) {
  const Engine engine;
  const File file(5000, 12);
  f2i_buffer *weights = nullptr;
  for (const int first : {0, 1, 1000, 1021, 3000}) { // before, at and across pages
    ok(map(engine, file.path, 12 + static_cast<uint64_t>(first) * 4, 2000 * 4, &weights));
    const Device<float> y(engine, Matrix<float>(40, 50));
    f2i_elementwise_args args = F2I_INIT(f2i_elementwise_args);
    args.kind = F2I_MUL;
    args.scalar = 2;
    args.a = {weights, 0, 40, 50, 50, F2I_F32, 0};
    args.y = y;
    ok(f2i_elementwise(engine, &args));
    ok(f2i_buffer_destroy(engine, weights)); // unmapped after the op
    CHECK_EQUAL(engine.sync().status, F2I_OK);
    CHECK_EQUAL(engine.info().live_bytes, 8000u); // y alone: files are not counted
    const Matrix<float> found = y.download();
    for (int i = 0; i < 2000; ++i) {
      if (found(i / 50, i % 50) != 2.0f * static_cast<float>(first + i)) return CHECK(!"wrong contents");
    }
  }
}

TEST(a_mapped_file_is_read_only) {
  const Engine engine;
  const File file(100);
  f2i_buffer *weights = nullptr;
  ok(map(engine, file.path, 0, 400, &weights));
  const float value = 1;
  CHECK_EQUAL(f2i_buffer_write(engine, weights, 0, &value, 4), F2I_INVALID_ARGUMENT);
  CHECK_CONTAINS(f2i_last_error(engine), "found a mapped file");
  f2i_elementwise_args args = F2I_INIT(f2i_elementwise_args);
  args.a = args.y = {weights, 0, 1, 100, 100, F2I_F32, 0};
  CHECK_EQUAL(f2i_elementwise(engine, &args), F2I_INVALID_ARGUMENT);
  CHECK_CONTAINS(f2i_last_error(engine), "y: buffer: expected one that can be written, found a mapped file");
  float read[100];
  ok(f2i_buffer_read(engine, weights, 0, read, 400));
  ok(f2i_sync(engine, nullptr));
  CHECK_EQUAL(read[99], 99.0f);
}

TEST(a_misaligned_range_is_refused_by_ops) {
  const Engine engine;
  const File file(100, 2);
  f2i_buffer *weights = nullptr;
  ok(map(engine, file.path, 2, 400, &weights));
  f2i_cast_args args = F2I_INIT(f2i_cast_args);
  const Device<double> y(engine, Matrix<double>(1, 100));
  args.x = {weights, 0, 1, 100, 100, F2I_F32, 0};
  args.y = y;
  CHECK_EQUAL(f2i_cast(engine, &args), F2I_INVALID_ARGUMENT);
  CHECK_CONTAINS(f2i_last_error(engine), "misaligned memory");
}

TEST(bad_files_are_io_errors_that_name_them) {
  const Engine engine;
  const File file(100);
  f2i_buffer *weights = nullptr;
  CHECK_EQUAL(map(engine, file.path, 4, 400, &weights), F2I_IO);
  CHECK_CONTAINS(f2i_last_error(engine), file.path);
  CHECK_CONTAINS(f2i_last_error(engine), "expected at least 400 bytes from offset 4, found a file of 400 bytes");
  CHECK_EQUAL(map(engine, file.path, UINT64_MAX - 10, 100, &weights), F2I_IO);
  CHECK_EQUAL(map(engine, file.path, 100, UINT64_MAX - 10, &weights), F2I_IO);
  CHECK_EQUAL(map(engine, file.path + ".missing", 0, 4, &weights), F2I_IO);
  CHECK_CONTAINS(f2i_last_error(engine), "No such file");
  CHECK_EQUAL(map(engine, "/tmp", 0, 4, &weights), F2I_IO);
  CHECK_CONTAINS(f2i_last_error(engine), "not a regular file");
  const std::string fifo = file.path + ".fifo";
  if (mkfifo(fifo.c_str(), 0600) == 0) {
    CHECK_EQUAL(map(engine, fifo, 0, 4, &weights), F2I_IO); // and does not wait for a writer
    std::remove(fifo.c_str());
  }
  CHECK_EQUAL(f2i_buffer_map_file(engine, nullptr, 0, 4, &weights), F2I_INVALID_ARGUMENT);
  CHECK_EQUAL(map(engine, file.path, 0, 0, &weights), F2I_INVALID_ARGUMENT);
  CHECK(weights == nullptr);
  CHECK_EQUAL(engine.info().live_buffers, 0u);
}

TEST(a_file_may_be_replaced_while_it_is_mapped) {
  const Engine engine;
  const File file(100);
  f2i_buffer *weights = nullptr;
  ok(map(engine, file.path, 0, 400, &weights));
  std::remove(file.path.c_str());
  float last = 0;
  ok(f2i_buffer_read(engine, weights, 396, &last, 4));
  ok(f2i_sync(engine, nullptr));
  CHECK_EQUAL(last, 99.0f);
}

CHECK_MAIN();
