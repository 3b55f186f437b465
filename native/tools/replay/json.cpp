#include "json.hpp"

#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <stdexcept>

namespace replay {
namespace {

class Parser {
public:
  explicit Parser(const std::string &text) : text_(text) {}

  Json whole() {
    Json value = any();
    if (next() != '\0') fail("the end");
    return value;
  }

private:
  /// The next character that is no space; '\0' at the end.
  char next() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char c) {
    if (next() != c) return false;
    ++at_;
    return true;
  }
  void need(char c) {
    if (!take(c)) fail(std::string(1, c));
  }
  [[noreturn]] void fail(const std::string &expected) const {
    throw std::invalid_argument("JSON: expected " + expected + " at character " + std::to_string(at_ + 1));
  }

  Json any() {
    if (++depth_ > 64) fail("less depth");
    Json value;
    const char c = next();
    if (c == '{') value = object();
    else if (c == '[') value = list();
    else if (c == '"') value = string();
    else if (!word("null")) value = word("true") ? Json(true) : word("false") ? Json(false) : number();
    --depth_;
    return value;
  }
  bool word(const char *name) {
    const std::string expected = name;
    if (text_.compare(at_, expected.size(), expected) != 0) return false;
    at_ += expected.size();
    return true;
  }
  Json number() {
    char *end = nullptr;
    const char *const start = text_.c_str() + at_;
    const double value = std::strtod(start, &end);
    if (end == start || std::isalpha(static_cast<unsigned char>(*start))) fail("a value");
    at_ += static_cast<size_t>(end - start);
    return value;
  }
  std::string string() {
    need('"');
    std::string value;
    for (;; ++at_) {
      if (at_ >= text_.size()) fail("the end of a text");
      if (text_[at_] == '"') break;
      if (text_[at_] != '\\') {
        value += text_[at_];
        continue;
      }
      if (++at_ == text_.size()) fail("an escape");
      const std::string from = "nrtbf", to = "\n\r\t\b\f";
      const size_t which = from.find(text_[at_]);
      if (text_[at_] == 'u') value += '?', at_ += 4; // names of devices and ops are plain
      else value += which == std::string::npos ? text_[at_] : to[which];
    }
    ++at_;
    return value;
  }
  Json list() {
    need('[');
    Json::List values;
    if (take(']')) return values;
    do values.push_back(any());
    while (take(','));
    need(']');
    return values;
  }
  Json object() {
    need('{');
    Json::Object fields;
    if (take('}')) return fields;
    do {
      next();
      std::string key = string();
      need(':');
      fields.emplace_back(std::move(key), any());
    } while (take(','));
    need('}');
    return fields;
  }

  const std::string &text_;
  size_t at_ = 0;
  int depth_ = 0;
};

std::string quoted(const std::string &text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\', out += c;
    else if (static_cast<unsigned char>(c) < 32) out += ' ';
    else out += c;
  }
  return out + '"';
}

} // namespace

Json Json::parse(const std::string &text) { return Parser(text).whole(); }

std::string Json::text() const {
  if (const bool *truth = as<bool>()) return *truth ? "true" : "false";
  if (const double *number = as<double>()) {
    char out[32] = "null";
    if (std::isfinite(*number)) std::snprintf(out, sizeof out, "%.12g", *number);
    return out;
  }
  if (const std::string *string = as<std::string>()) return quoted(*string);
  std::string out;
  if (const List *list = as<List>()) {
    for (const Json &each : *list) out += (out.empty() ? "" : ",") + each.text();
    return "[" + out + "]";
  }
  if (const Object *object = as<Object>()) {
    for (const auto &[key, each] : *object) out += (out.empty() ? "" : ",") + quoted(key) + ":" + each.text();
    return "{" + out + "}";
  }
  return "null";
}

const Json &Json::operator[](const std::string &key) const {
  static const Json none;
  if (const Object *object = as<Object>())
    for (const auto &[name, value] : *object)
      if (name == key) return value;
  return none;
}

double Json::number() const {
  const double *number = as<double>();
  return number != nullptr ? *number : std::numeric_limits<double>::quiet_NaN();
}

std::string Json::string() const {
  const std::string *string = as<std::string>();
  return string != nullptr ? *string : "";
}

} // namespace replay
