// A script: calls of the C ABI as text and their data as bytes, written where the
// reference is (README.md describes the lines) and run here.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "f2i/f2i.h"

namespace replay {

/// A script that cannot be read or run; the text names the file and the line.
struct ScriptError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A matrix inside a buffer, which the script names by a number; 0 is none.
struct Operand {
  uint64_t buffer = 0, offset = 0;
  int64_t rows = 0, cols = 0, ld = 0;
  f2i_dtype dtype = F2I_F32;
};

/// Bytes of the data.
struct Bytes {
  uint64_t from = 0, size = 0;
};

/// Numbers of the data, or one number for all.
struct Numbers {
  enum { none, one, f32, f64 } kind = none;
  double value = 0;
  uint64_t from = 0;
};

struct Create {
  uint64_t buffer, bytes;
};
struct Free {
  uint64_t buffer;
};
struct Write {
  uint64_t buffer;
  Bytes bytes;
};
/// A matrix of random numbers: `normal`; `spread`, 1/2 + |normal|; `definite`, symmetric with a heavy
/// diagonal; `triangular`, lower and well-conditioned. Times `scale`.
struct Draw {
  uint64_t buffer;
  std::string kind;
  int64_t rows, cols;
  f2i_dtype dtype;
  uint64_t seed;
  double scale;
};
struct Call {
  std::string op;
  std::vector<double> scalars;
  std::vector<Operand> operands;
  struct List {
    bool present = false;
    uint64_t count = 0, from = 0;
  };
  std::vector<List> lists;
};
/// The bytes of a buffer are still those that were written to it.
struct Kept {
  uint64_t buffer;
};
/// The next wait reports this failure.
struct Fails {
  std::string status, op;
};
/// Entries are near numbers: each within its tolerance, and the root mean square of all
/// errors within `bound` of that of the magnitudes.
struct Entries {
  uint64_t buffer, offset; // in elements
  f2i_dtype dtype;
  uint64_t count;
  Numbers expected, tolerance, magnitude;
  double bound;
};
/// A rule of residual.hpp holds for dense matrices.
struct Residual {
  std::string rule;
  std::vector<double> scalars;
  std::vector<Operand> matrices;
  Call::List values; // f64
};
/// What follows is timed, again and again, up to the first result.
struct Timed {};
/// Where a timed computation leaves a result, of which `units` roundings of its largest entry may be wrong.
struct Result {
  uint64_t buffer, offset; // in elements
  f2i_dtype dtype;
  uint64_t count;
  double units;
};
using Step = std::variant<Create, Free, Write, Draw, Call, Kept, Fails, Entries, Residual, Timed, Result>;

struct Case {
  std::string name;
  std::map<std::string, std::string> facts; // JSON values
  std::vector<Step> steps;
  /// The op, or the golden, that its name begins with.
  std::string family() const { return name.substr(0, name.find('/')); }
};

class Script {
public:
  /// Reads `stem`.script and `stem`.data. Throws ScriptError.
  explicit Script(const std::string &stem);

  const std::vector<Case> &cases() const { return cases_; }
  const char *bytes(Bytes range) const;
  /// Number i of some.
  double number(const Numbers &numbers, uint64_t i) const;
  template <class T> const T *list(const Call::List &list) const {
    static constexpr T nothing{}; // an empty list is still one
    if (!list.present) return nullptr;
    return list.count == 0 ? &nothing : reinterpret_cast<const T *>(bytes({list.from, list.count * sizeof(T)}));
  }

private:
  std::vector<Case> cases_;
  std::vector<uint64_t> data_; // bytes, aligned for every type
  uint64_t size_ = 0;
};

uint64_t element_bytes(f2i_dtype dtype);

} // namespace replay
