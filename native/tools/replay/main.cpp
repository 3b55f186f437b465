// f2i_replay: the conformance cases, the goldens and the benchmarks of the project, through the C ABI and
// without Node, on the processor or a GPU. README.md says how their files are made.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "bench.hpp"
#include "call.hpp"
#include "check_cases.hpp"
#include "cublas.hpp"
#include "player.hpp"
#include "ridge.hpp"
#include "table.hpp"

namespace {

struct Usage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

constexpr const char *help =
    "f2i_replay check STEM... [options]    runs STEM.script with STEM.data and compares\n"
    "f2i_replay bench STEM... [options]    times what STEM.script says; rows of results as JSON, a line each;\n"
    "                                      exit code 3 where none was written, though nothing was wrong\n"
    "f2i_replay cublas STEM... [options]   times cuBLAS at its products, where it is there\n"
    "f2i_replay ridge NxVxT [options]      predicts T targets from V voxels of N trials, from host memory\n"
    "f2i_replay table FILE...              rows of results as a Markdown table\n"
    "f2i_replay device [options]           names the device, or says what is missing\n\n"
    "  --device cpu|cuda     what computes (cpu)\n"
    "  --index N             which GPU (0)\n"
    "  --library FILE        libf2i_cuda.so (F2I_CUDA_LIBRARY, beside the program, where the system looks)\n"
    "  --threads N           of the processor (0: all)\n"
    "  --only REGEX          cases whose names match\n"
    "  --unsupported OPS     check: ops, separated by commas, that the device lacks and must refuse\n"
    "  --graphs N            check: records the calls of a case into graphs and launches each N times (0: none)\n"
    "  --precisions LIST     bench: of products of f32 on a GPU: f32,tf32,bf16,f16 (f32)\n"
    "  --samples N           bench: of each kind (10)\n"
    "  --seconds S           bench: for the samples of one kind, at least three (1)\n"
    "  --cold BYTES          bench: what calls pass through before they come back to an operand (2^30)\n"
    "  --largest-flops N     bench: leaves larger cases out\n"
    "  --limits FILE         bench: what benchmarks/peers/limits.cpp or limits.cu printed\n"
    "  --commit NAME         bench: of the sources\n"
    "  --machine TEXT        bench: what times depend on beside the device, such as its driver\n"
    "  --out FILE            bench: appends the rows to a file as well";

struct Options {
  std::string command;
  std::vector<std::string> files;
  replay::DeviceOptions device;
  replay::CheckOptions check;
  replay::BenchOptions bench;
};

std::vector<std::string> split(const std::string &text) {
  std::vector<std::string> parts;
  for (size_t from = 0; from < text.size();) {
    const size_t to = std::min(text.find(',', from), text.size());
    parts.push_back(text.substr(from, to - from));
    from = to + 1;
  }
  return parts;
}

double number(const std::string &option, const std::string &text, double least, double most) {
  char *end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value >= least && value <= most))
    throw Usage(option + ": expected a number from " + std::to_string(least) + " to " + std::to_string(most) + ", found " + text);
  return value;
}

Options parse(int count, char **arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string word = arguments[i];
    if (word.rfind("--", 0) != 0) {
      if (options.command.empty()) options.command = word;
      else options.files.push_back(word);
      continue;
    }
    if (++i == count) throw Usage(word + ": unknown, or without its value");
    const std::string value = arguments[i];
    if (word == "--device") options.device.device = value;
    else if (word == "--index") options.device.index = static_cast<int>(number(word, value, 0, 1024));
    else if (word == "--library") options.device.library = value;
    else if (word == "--threads") options.device.threads = static_cast<int>(number(word, value, 0, 1024));
    else if (word == "--only") options.check.only = options.bench.only = value;
    else if (word == "--unsupported") options.check.unsupported = split(value);
    else if (word == "--graphs") options.check.launches = static_cast<int>(number(word, value, 0, 100));
    else if (word == "--precisions") options.bench.precisions = split(value);
    else if (word == "--samples") options.bench.samples = static_cast<int>(number(word, value, 1, 1e6));
    else if (word == "--seconds") options.bench.seconds = number(word, value, 0, 1e6);
    else if (word == "--cold") options.bench.cold_bytes = static_cast<uint64_t>(number(word, value, 0, 1e12));
    else if (word == "--largest-flops") options.bench.largest_flops = number(word, value, 0, 1e30);
    else if (word == "--limits") options.bench.limits = value;
    else if (word == "--commit") options.bench.commit = value;
    else if (word == "--machine") options.bench.machine = value;
    else if (word == "--out") options.bench.out = value;
    else throw Usage(word + ": no such option");
  }
  if (options.device.device != "cpu" && options.device.device != "cuda")
    throw Usage("--device: expected cpu or cuda, found " + options.device.device);
  return options;
}

replay::RidgeSize ridge_size(const std::string &text) {
  replay::RidgeSize size;
  char end = 0;
  long long n = 0, v = 0, t = 0;
  if (std::sscanf(text.c_str(), "%lldx%lldx%lld%c", &n, &v, &t, &end) != 3 || n < 1 || v < 1 || t < 1)
    throw Usage("ridge: expected a size such as 8859x15724x197376, found " + text);
  size.trials = n, size.voxels = v, size.targets = t;
  size.tests = std::min<int64_t>(size.tests, n);
  return size;
}

int run(const Options &options) {
  if (options.command == "device") {
    const f2i_device_info info = replay::describe(options.device);
    std::printf("name %s\ncapability %d\nprocessors %d\nmemory %llu\n", info.name, info.capability, info.processors,
                static_cast<unsigned long long>(info.memory_bytes));
    const replay::Context context = replay::open(options.device);
    std::string lacking;
    for (const std::string &op : replay::known_ops())
      if (f2i_context_supports(context.get(), op.c_str()) != F2I_OK) lacking += (lacking.empty() ? "" : ",") + op;
    if (!lacking.empty()) std::printf("lacks %s\n", lacking.c_str());
    return 0;
  }
  if (options.files.empty()) throw Usage("expected a command and its files");
  if (options.command == "check") return replay::check(replay::open(options.device).get(), options.files, options.check);
  if (options.command == "bench") return replay::bench(options.device, options.files, options.bench);
  if (options.command == "cublas") return replay::bench_cublas(options.device, options.files, options.bench);
  if (options.command == "ridge") return replay::bench_ridge(options.device, ridge_size(options.files[0]), options.bench);
  if (options.command == "table") {
    std::fputs(replay::table(options.files).c_str(), stdout);
    return 0;
  }
  throw Usage("expected check, bench, cublas, ridge, table or device, found " + options.command);
}

} // namespace

int main(int count, char **arguments) {
  if (count == 2 && std::string(arguments[1]) == "--help") {
    std::puts(help);
    return 0;
  }
  try {
    return run(parse(count, arguments));
  } catch (const Usage &error) {
    std::fprintf(stderr, "f2i_replay: %s\n%s\n", error.what(), help);
    return 2;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "f2i_replay: %s\n", error.what());
    return 1;
  }
}
