// f2i_replay: the conformance cases, the goldens and the benchmarks of the project, through the C ABI and
// without Node, on the processor or a GPU. README.md says how their files are made.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "check.hpp"
#include "player.hpp"

namespace {

struct Usage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

constexpr const char *help =
    "f2i_replay check STEM... [options]    runs STEM.script with STEM.data and compares\n"
    "f2i_replay device [options]           names the device, or says what is missing\n\n"
    "  --device cpu|cuda     what computes (cpu)\n"
    "  --index N             which GPU (0)\n"
    "  --library FILE        libf2i_cuda.so (F2I_CUDA_LIBRARY, beside the program, where the system looks)\n"
    "  --threads N           of the processor (0: all)\n"
    "  --only REGEX          cases whose names match\n"
    "  --unsupported OPS     ops, separated by commas, that the device lacks and must refuse";

struct Options {
  std::string command;
  std::vector<std::string> files;
  std::string device = "cpu", library;
  int index = 0, threads = 0;
  replay::CheckOptions check;
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

int whole(const std::string &option, const std::string &text) {
  char *end = nullptr;
  const long value = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || value < 0 || value > 4096) throw Usage(option + ": expected a number, found " + text);
  return static_cast<int>(value);
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
    if (word == "--device") options.device = value;
    else if (word == "--index") options.index = whole(word, value);
    else if (word == "--library") options.library = value;
    else if (word == "--threads") options.threads = whole(word, value);
    else if (word == "--only") options.check.only = value;
    else if (word == "--unsupported") options.check.unsupported = split(value);
    else throw Usage(word + ": no such option");
  }
  if (options.device != "cpu" && options.device != "cuda") throw Usage("--device: expected cpu or cuda, found " + options.device);
  return options;
}

f2i_device device_of(const Options &options) { return options.device == "cuda" ? F2I_DEVICE_CUDA : F2I_DEVICE_CPU; }
const char *library_of(const Options &options) { return options.library.empty() ? nullptr : options.library.c_str(); }

struct Destroy {
  void operator()(f2i_context *context) const { f2i_context_destroy(context); }
};
using Context = std::unique_ptr<f2i_context, Destroy>;

Context open(const Options &options) {
  f2i_context_desc desc = F2I_INIT(f2i_context_desc);
  desc.abi_version = F2I_ABI_VERSION;
  desc.threads = options.threads;
  desc.device = device_of(options);
  desc.device_index = options.index;
  desc.library = library_of(options);
  f2i_context *context = nullptr;
  replay::ok(f2i_context_create(&desc, &context));
  return Context(context);
}

int run(const Options &options) {
  f2i_device_info info = F2I_INIT(f2i_device_info);
  if (options.command == "device") {
    replay::ok(f2i_device_describe(device_of(options), options.index, library_of(options), &info));
    std::printf("%s\ncapability %d\nprocessors %d\nmemory %llu\n", info.name, info.capability, info.processors,
                static_cast<unsigned long long>(info.memory_bytes));
    return 0;
  }
  if (options.command == "check" && !options.files.empty()) return replay::check(open(options).get(), options.files, options.check);
  throw Usage("expected check STEM... or device");
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
