// Scripts that say something wrong: each mistake must show, and be named.
#include <cmath>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "check.hpp"
#include "json.hpp"
#include "player.hpp"
#include "table.hpp"

using namespace replay;

namespace {

/// A script of one case in a folder that goes with it.
class Files {
public:
  Files(const std::string &lines, const std::vector<float> &data) {
    std::filesystem::create_directories(folder_);
    std::vector<float> padded = data;
    padded.resize((data.size() + 1) / 2 * 2);
    std::ofstream(stem() + ".script") << "f2i-script 1 " << padded.size() * 4 << "\ncase add/f32/of two numbers\n"
                                      << lines << "end\n";
    std::ofstream(stem() + ".data", std::ios::binary)
        .write(reinterpret_cast<const char *>(padded.data()), static_cast<std::streamsize>(padded.size() * 4));
  }
  ~Files() { std::filesystem::remove_all(folder_); }
  std::string stem() const { return (folder_ / "one").string(); }

private:
  const std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("f2i-replay-" + std::to_string(getpid()));
};

Verdict play(const std::string &lines, const std::vector<float> &data) {
  const Files files(lines, data);
  const Script script(files.stem());
  f2i_context_desc desc = F2I_INIT(f2i_context_desc);
  desc.abi_version = F2I_ABI_VERSION;
  desc.threads = 1;
  f2i_context *context = nullptr;
  ok(f2i_context_create(&desc, &context));
  Verdict verdict;
  std::string error;
  try {
    verdict = Player(context, script).play(script.cases()[0]);
  } catch (const std::exception &caught) {
    error = caught.what();
  }
  f2i_context_destroy(context);
  if (!error.empty()) throw std::runtime_error(error);
  return verdict;
}

std::string error_of(const std::string &lines, const std::vector<float> &data = {}) {
  try {
    play(lines, data);
  } catch (const std::exception &error) {
    return error.what();
  }
  return "no error";
}

/// y = x + 1 for x = (1, 2), y expected in buffer 2 by `rest`.
std::string add_one(const std::string &rest) {
  return "buffer 1 8\ndata 1 8 0\nbuffer 2 8\ncall elementwise 2 0 1 3 1 0 1 2 2 0 0 0 0 0 0 0 2 0 1 2 2 0 0\n" + rest;
}

Dense dense(int64_t rows, int64_t cols, std::vector<double> data) { return {rows, cols, F2I_F64, std::move(data)}; }
double worst(const std::string &rule, std::vector<double> scalars, std::vector<Dense> matrices, std::vector<double> values = {}) {
  return judge_residual(rule, scalars, matrices, values.data(), values.size()).worst;
}

} // namespace

TEST(entries_are_compared) {
  const std::vector<float> data = {1, 2, 2, 3};
  CHECK_EQUAL(play(add_one("entries 2 0 0 2 f32:8 =1e-7 - 0\nkept 1\n"), data).worst, 0.0);
  const Verdict off = play(add_one("entries 2 0 0 2 f32:8 =1e-7 - 0\n"), {1, 2, 2, 3.5f});
  CHECK(off.worst > 1e6);
  CHECK_CONTAINS(off.where, "entry 1 is 3, reference 3.5");
  CHECK(play(add_one("entries 2 1 0 1 =2 =0.25 - 0\n"), data).worst == 4);
  CHECK(std::isinf(play(add_one("entries 2 0 0 2 =NaN =1 - 0\n"), data).worst));
  CHECK(std::isinf(play(add_one("entries 2 0 0 1 =1 =0 - 0\n"), data).worst));
}

TEST(the_mean_of_all_errors_is_compared) {
  // Errors (1, 1) over magnitudes (2, 2) are a half: of the bound 1/4, twice.
  CHECK_EQUAL(play(add_one("entries 2 0 0 2 f32:8 =100 =2 0.25\n"), {1, 2, 3, 4}).worst, 2.0);
}

TEST(an_operand_that_was_written_to) {
  const std::string in_place = "buffer 1 8\ndata 1 8 0\ncall elementwise 2 0 1 3 1 0 1 2 2 0 0 0 0 0 0 0 1 0 1 2 2 0 0\nkept 1\n";
  CHECK(std::isinf(play(in_place, {1, 2}).worst));
}

TEST(failures_are_expected_by_name) {
  const std::string factor = "buffer 1 4\ndata 1 4 0\nbuffer 2 4\ncall cholesky_factor 1 0 2 1 0 1 1 1 0 2 0 1 1 1 0 0\n";
  CHECK_EQUAL(play(factor + "fails F2I_NOT_POSITIVE_DEFINITE cholesky_factor\n", {-1}).worst, 0.0);
  CHECK(std::isinf(play(factor + "fails F2I_NOT_POSITIVE_DEFINITE cholesky_factor\n", {1}).worst));
  CHECK(std::isinf(play(factor + "fails F2I_OUT_OF_MEMORY cholesky_factor\n", {-1}).worst));
  CHECK_CONTAINS(error_of(factor, {-1}), "NOT_POSITIVE_DEFINITE");
}

TEST(scripts_that_cannot_be_read) {
  CHECK_CONTAINS(error_of("buffer 1 x\n"), "one.script:3: expected bytes, found x");
  CHECK_CONTAINS(error_of("multiply 1\n"), "found multiply");
  CHECK_CONTAINS(error_of("free 7\n"), "there is no buffer 7");
  CHECK_CONTAINS(error_of("buffer 1 4\nbuffer 1 4\n"), "buffer 1 exists");
  CHECK_CONTAINS(error_of("buffer 1 64\ndata 1 64 0\n", {1}), "expected a place in 8 bytes of data");
  CHECK_CONTAINS(error_of("call frobnicate 0 0 0\n"), "frobnicate: no such op");
  CHECK_CONTAINS(error_of("call softmax 2 0 0 0 0\n"), "softmax: expected another operand");
  CHECK_CONTAINS(error_of(add_one("") + "call cast 1 0 2 1 0 1 2 2 0 2 0 1 2 2 0 0\n", {1, 2}), "cast: expected fewer arguments");
  CHECK_CONTAINS(error_of("entries 1 0 0 2 2 =1 - 0\n"), "found 2");
  const Files files("", {1, 2});
  std::ofstream(files.stem() + ".data", std::ios::app) << "more";
  try {
    const Script script(files.stem());
    CHECK(false);
  } catch (const ScriptError &error) {
    CHECK_CONTAINS(error.what(), "expected 8 bytes");
  }
}

TEST(residuals_of_factors) {
  const Dense a = dense(2, 2, {4, NAN, 2, 5}); // of which the lower triangle counts
  CHECK_EQUAL(worst("cholesky_factor", {0}, {a, dense(2, 2, {2, 0, 1, 2})}), 0.0);
  CHECK_EQUAL(worst("cholesky_factor", {5}, {a, dense(2, 2, {3, 0, 2.0 / 3, std::sqrt(10 - 4.0 / 9)})}) < 1, true);
  CHECK(worst("cholesky_factor", {0}, {a, dense(2, 2, {2, 0, 1, 2.001})}) > 1);
  CHECK(std::isinf(worst("cholesky_factor", {0}, {a, dense(2, 2, {2, 1e-300, 1, 2})})));
  CHECK(std::isinf(worst("cholesky_factor", {0}, {a, dense(2, 2, {-2, 0, -1, 2})})));
}

TEST(residuals_of_solutions) {
  const Dense l = dense(2, 2, {2, NAN, 1, 4});
  CHECK_EQUAL(worst("triangular_solve", {0}, {l, dense(2, 1, {2, 9}), dense(2, 1, {1, 2})}), 0.0);
  CHECK(worst("triangular_solve", {1}, {l, dense(2, 1, {2, 9}), dense(2, 1, {1, 2})}) > 1);
  CHECK_EQUAL(worst("triangular_solve", {1}, {l, dense(2, 1, {4, 8}), dense(2, 1, {1, 2})}), 0.0);
  CHECK_EQUAL(worst("cholesky_solve", {}, {l, dense(2, 1, {8, 36}), dense(2, 1, {1, 2})}), 0.0);
  CHECK(worst("cholesky_solve", {}, {l, dense(2, 1, {8, 36}), dense(2, 1, {1, 2.0001})}) > 1);
}

TEST(residuals_of_eigenpairs) {
  const Dense a = dense(2, 2, {2, NAN, 1, 2});
  const double h = std::sqrt(0.5);
  const Dense q = dense(2, 2, {h, h, -h, h}), w = dense(1, 2, {1, 3});
  CHECK(worst("eigh", {}, {a, w, q}, {1, 3}) <= 1);
  CHECK(worst("eigh", {}, {a, w, q}, {1, 3.1}) > 1);
  CHECK(worst("eigh", {}, {a, w, dense(2, 2, {h, h, -h, -h})}, {1, 3}) > 1);
  CHECK(worst("eigh", {}, {a, w, dense(2, 2, {h, -h, -h, -h})}, {1, 3}) > 1); // signs
  CHECK(worst("eigh", {}, {a, dense(1, 2, {3, 1}), dense(2, 2, {h, h, h, -h})}, {3, 1}) > 1);
}

TEST(json_is_read_as_it_was_written) {
  const std::string line = R"({"a":[1,-2.5,1e-07],"b":{"c":"x \"y\" \\z","d":null},"e":true,"f":false})";
  CHECK_EQUAL(Json::parse(line).text(), line);
  CHECK_EQUAL(Json(Json::Object{{"x", NAN}}).text(), "{\"x\":null}");
  for (const char *wrong : {"", "{", "[1,]", "{\"a\":}", "{\"a\" 1}", "nul", "1 2", "\"open", "{a:1}"}) {
    try {
      Json::parse(wrong);
      CHECK_EQUAL(std::string("no error for "), wrong);
    } catch (const std::invalid_argument &) {
    }
  }
}

namespace {

const std::string row = R"({"op":"gemm","shape":{"m":8192,"n":8192,"k":8192},"dtype":"bf16","precision":"bf16","impl":"IMPL",)"
                        R"("backend":"cuda","cold":{"p50":SECONDS},"warm":{"p50":0.002},"gflops":500000,"error":1e-6,)"
                        R"("errorOverTolerance":0.1,"passed":PASSED,"device":"A GPU","commit":"abc","date":"2026-01-01"})";

std::string with(const std::string &impl, const std::string &seconds, const std::string &passed = "true") {
  std::string text = row;
  for (const auto &[name, value] : {std::pair<std::string, std::string>{"IMPL", impl}, {"SECONDS", seconds}, {"PASSED", passed}})
    text.replace(text.find(name), name.size(), value);
  return text;
}

std::string table_of(const std::string &lines) {
  const auto file = std::filesystem::temp_directory_path() / ("f2i-rows-" + std::to_string(getpid()));
  std::ofstream(file) << lines;
  std::string text;
  try {
    text = table({file.string()});
  } catch (const std::exception &error) {
    text = error.what();
  }
  std::filesystem::remove(file);
  return text;
}

} // namespace

TEST(tables_say_what_was_measured_and_what_not) {
  const std::string text = table_of(with("ours", "0.002") + "\n" + with("cuBLAS", "0.001") + "\n" + with("slow", "0.003") + "\n");
  CHECK_CONTAINS(text, "## A GPU");
  CHECK_CONTAINS(text, "| bf16 GEMM, 8192^3: at least 85 % of cuBLAS and 650 TFLOP/s | 2.000 ms, 500 TFLOP/s");
  CHECK_CONTAINS(text, "| 0.50 (cuBLAS) |");
  CHECK_CONTAINS(text, "| voxels to tokens: at most 1.3 ms | not yet measured |");
  const std::string wrong = table_of(with("ours", "0.002", "false"));
  CHECK_CONTAINS(wrong, "| wrong result |");
  CHECK_CONTAINS(wrong, "650 TFLOP/s | not yet measured |");
}

TEST(lines_that_are_no_rows) {
  CHECK_CONTAINS(table_of("{\"op\":1}\n"), ":1: expected op to be a text, found 1");
  CHECK_CONTAINS(table_of(with("ours", "0.002") + "\n{\n"), ":2: JSON: expected");
  CHECK_CONTAINS(table_of(with("ours", "-1")), "expected cold to be a timing");
  CHECK_CONTAINS(table_of(with("ours", "0.002", "2")), "expected passed to be true or false, found 2");
}

CHECK_MAIN();
