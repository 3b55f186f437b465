// Rows of results: JSON values as they are written and read, a line each.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace replay {

/// Null, a truth value, a number, a text, a list or an object whose keys keep their order.
class Json {
public:
  using List = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;

  Json() = default;
  Json(bool value) : value_(value) {}
  Json(double value) : value_(value) {}
  Json(int value) : value_(static_cast<double>(value)) {}
  Json(const char *value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(List value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}

  /// Throws std::invalid_argument, saying where and what was expected.
  static Json parse(const std::string &text);
  /// One line. Numbers that JSON has no word for become null.
  std::string text() const;

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  template <class T> const T *as() const { return std::get_if<T>(&value_); }
  /// A field of an object; null where there is none.
  const Json &operator[](const std::string &key) const;
  /// NaN where it is no number; "" where it is no text.
  double number() const;
  std::string string() const;

private:
  std::variant<std::monostate, bool, double, std::string, List, Object> value_;
};

} // namespace replay
