#include "script.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace replay {
namespace {

/// The words of one line; each is asked for as what it must be.
class Line {
public:
  Line(const std::string &file, int number, const std::string &text) : file_(file), number_(number), words_(text) {}

  std::string word(const char *what) {
    std::string word;
    if (!(words_ >> word)) fail(what, "the end of the line");
    return word;
  }
  std::string rest() {
    std::string rest;
    std::getline(words_ >> std::ws, rest);
    return rest;
  }
  double real(const char *what) { return real(what, word(what)); }
  uint64_t whole(const char *what) { return whole(what, word(what)); }
  f2i_dtype dtype() {
    const uint64_t dtype = whole("a type");
    if (dtype > F2I_U8) fail("a type from 0 to 5", std::to_string(dtype));
    return static_cast<f2i_dtype>(dtype);
  }
  uint64_t count(const char *what) {
    const uint64_t count = whole(what);
    if (count > 256) fail("at most 256", std::to_string(count));
    return count;
  }
  Operand operand() {
    Operand o;
    o.buffer = whole("a buffer"), o.offset = whole("an offset");
    o.rows = extent(), o.cols = extent(), o.ld = extent();
    o.dtype = dtype();
    return o;
  }
  /// A buffer, an offset in elements, a type and extents: a dense matrix.
  Operand dense() {
    Operand o;
    o.buffer = whole("a buffer"), o.offset = whole("an offset"), o.dtype = dtype();
    o.rows = extent(), o.cols = o.ld = extent();
    return o;
  }
  /// `COUNT:FROM`, or `-` for none.
  Call::List list() {
    const std::string text = word("a list");
    if (text == "-") return {};
    const size_t colon = text.find(':');
    if (colon == std::string::npos) fail("COUNT:FROM or -", text);
    return {true, whole("a count", text.substr(0, colon)), whole("a place", text.substr(colon + 1))};
  }
  /// `=VALUE`, `f32:FROM`, `f64:FROM`, or `-` for none.
  Numbers numbers() {
    const std::string text = word("numbers");
    Numbers n;
    if (text == "-") return n;
    if (text[0] == '=') {
      n.kind = Numbers::one, n.value = real("a number", text.substr(1));
      return n;
    }
    const std::string type = text.substr(0, 4);
    if (type != "f32:" && type != "f64:") fail("=VALUE, f32:FROM, f64:FROM or -", text);
    n.kind = type == "f32:" ? Numbers::f32 : Numbers::f64;
    n.from = whole("a place", text.substr(4));
    return n;
  }
  [[noreturn]] void fail(const std::string &expected, const std::string &found) const {
    throw ScriptError(file_ + ":" + std::to_string(number_) + ": expected " + expected + ", found " + found);
  }

private:
  double real(const char *what, const std::string &text) const {
    char *end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0') fail(what, text);
    return value;
  }
  uint64_t whole(const char *what, const std::string &text) const {
    char *end = nullptr;
    const uint64_t value = std::strtoull(text.c_str(), &end, 10);
    if (text.empty() || text[0] == '-' || *end != '\0') fail(what, text);
    return value;
  }
  int64_t extent() { return static_cast<int64_t>(whole("an extent")); }

  const std::string &file_;
  const int number_;
  std::istringstream words_;
};

Call parse_call(Line &line) {
  Call call;
  call.op = line.word("an op");
  for (uint64_t n = line.count("a number of scalars"); n > 0; --n) call.scalars.push_back(line.real("a scalar"));
  for (uint64_t n = line.count("a number of operands"); n > 0; --n) call.operands.push_back(line.operand());
  for (uint64_t n = line.count("a number of lists"); n > 0; --n) call.lists.push_back(line.list());
  return call;
}

Residual parse_residual(Line &line) {
  Residual residual;
  residual.rule = line.word("a rule");
  for (uint64_t n = line.count("a number of scalars"); n > 0; --n) residual.scalars.push_back(line.real("a scalar"));
  for (uint64_t n = line.count("a number of matrices"); n > 0; --n) residual.matrices.push_back(line.dense());
  residual.values = line.list();
  return residual;
}

Step parse_step(const std::string &verb, Line &line) {
  if (verb == "buffer") {
    const uint64_t buffer = line.whole("a buffer");
    return Create{buffer, line.whole("bytes")};
  }
  if (verb == "free") return Free{line.whole("a buffer")};
  if (verb == "kept") return Kept{line.whole("a buffer")};
  if (verb == "timed") return Timed{};
  if (verb == "result") {
    Result result;
    result.buffer = line.whole("a buffer"), result.offset = line.whole("an offset"), result.dtype = line.dtype();
    result.count = line.whole("a count"), result.units = line.real("units");
    return result;
  }
  if (verb == "call") return parse_call(line);
  if (verb == "residual") return parse_residual(line);
  if (verb == "data") {
    const uint64_t buffer = line.whole("a buffer"), size = line.whole("bytes");
    return Write{buffer, {line.whole("a place"), size}};
  }
  if (verb == "draw") {
    Draw draw;
    draw.buffer = line.whole("a buffer"), draw.kind = line.word("a kind");
    draw.rows = static_cast<int64_t>(line.whole("rows")), draw.cols = static_cast<int64_t>(line.whole("columns"));
    draw.dtype = line.dtype(), draw.seed = line.whole("a seed");
    draw.scale = line.real("a scale");
    return draw;
  }
  if (verb == "fails") {
    const std::string status = line.word("a status");
    return Fails{status, line.word("an op")};
  }
  if (verb == "entries") {
    Entries e;
    e.buffer = line.whole("a buffer"), e.offset = line.whole("an offset"), e.dtype = line.dtype();
    e.count = line.whole("a count");
    e.expected = line.numbers(), e.tolerance = line.numbers(), e.magnitude = line.numbers();
    e.bound = line.real("a bound");
    return e;
  }
  line.fail("buffer, free, data, draw, call, kept, fails, entries, residual, timed, result, fact, end or case", verb);
}

} // namespace

Script::Script(const std::string &stem) {
  const std::string file = stem + ".script";
  std::ifstream text(file);
  if (!text) throw ScriptError("cannot read " + file);
  std::string line_text;
  int number = 0;
  bool open = false;
  while (std::getline(text, line_text)) {
    Line line(file, ++number, line_text);
    const std::string verb = line.word("a verb");
    if (number == 1) {
      if (verb != "f2i-script" || line.whole("a version") != 1) line.fail("f2i-script 1", line_text);
      size_ = line.whole("bytes of data");
    } else if (verb == "case") {
      if (open) line.fail("the end of case " + cases_.back().name, "another case");
      cases_.push_back({line.rest(), {}, {}});
      open = true;
    } else if (!open) {
      line.fail("a case", verb);
    } else if (verb == "fact") {
      const std::string key = line.word("a key");
      cases_.back().facts[key] = line.rest();
    } else if (verb == "end") {
      open = false;
    } else {
      cases_.back().steps.push_back(parse_step(verb, line));
    }
  }
  if (number == 0 || open) throw ScriptError(file + ": cut short after line " + std::to_string(number));
  if (size_ == 0) return;
  std::ifstream data(stem + ".data", std::ios::binary);
  data_.resize(size_ / 8 + 1);
  if (!data.read(reinterpret_cast<char *>(data_.data()), static_cast<std::streamsize>(size_)) || data.peek() != EOF) {
    throw ScriptError(stem + ".data: expected " + std::to_string(size_) + " bytes; it belongs to another script");
  }
}

const char *Script::bytes(Bytes range) const {
  if (range.from % 8 != 0 || range.size > size_ || range.from > size_ - range.size) {
    throw ScriptError("expected a place in " + std::to_string(size_) + " bytes of data, found " +
                      std::to_string(range.size) + " at " + std::to_string(range.from));
  }
  return reinterpret_cast<const char *>(data_.data()) + range.from;
}

double Script::number(const Numbers &numbers, uint64_t i) const {
  switch (numbers.kind) {
  case Numbers::f32: return static_cast<double>(reinterpret_cast<const float *>(bytes({numbers.from, (i + 1) * 4}))[i]);
  case Numbers::f64: return reinterpret_cast<const double *>(bytes({numbers.from, (i + 1) * 8}))[i];
  default: return numbers.value;
  }
}

uint64_t element_bytes(f2i_dtype dtype) {
  static constexpr uint64_t bytes[] = {4, 8, 2, 2, 4, 1};
  return bytes[dtype];
}

} // namespace replay
