// A test program is a list of TEST(name) { ... } blocks; CHECK reports and goes
// on. The process fails when any check failed. `program NAME` runs the tests
// whose name contains NAME.
#pragma once

#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace check {

struct Test {
  const char *name;
  void (*run)();
};

inline std::vector<Test> &tests() {
  static std::vector<Test> list;
  return list;
}

inline int &failures() {
  static int count = 0;
  return count;
}

struct Registration {
  Registration(const char *name, void (*run)()) { tests().push_back({name, run}); }
};

inline void report(bool ok, const char *file, int line, const std::string &what) {
  if (ok) return;
  ++failures();
  const char *const slash = std::strrchr(file, '/');
  std::fprintf(stderr, "  %s:%d: %s\n", slash ? slash + 1 : file, line, what.c_str());
}

template <class A, class B>
void equal(const A &a, const B &b, const char *file, int line, const char *text) {
  constexpr bool texts =
      std::is_convertible_v<const A &, std::string_view> && std::is_convertible_v<const B &, std::string_view>;
  std::string what = text;
  if constexpr (texts) {
    const std::string_view left = a, right = b;
    if (left == right) return;
    what.append(" (\"").append(left).append("\" and \"").append(right).append("\")");
  } else {
    if (a == b) return;
    if constexpr (std::is_arithmetic_v<A> && std::is_arithmetic_v<B>) {
      what += " (" + std::to_string(a) + " and " + std::to_string(b) + ")";
    }
  }
  report(false, file, line, what);
}

inline void contains(std::string_view text, std::string_view part, const char *file, int line) {
  report(text.find(part) != std::string_view::npos, file, line,
         "expected \"" + std::string(part) + "\" in \"" + std::string(text) + "\"");
}

} // namespace check

#define TEST(name)                                                                                                 \
  static void name();                                                                                              \
  static const check::Registration name##_registration(#name, name);                                               \
  static void name()
#define CHECK(...) check::report(static_cast<bool>(__VA_ARGS__), __FILE__, __LINE__, #__VA_ARGS__)
#define CHECK_EQUAL(a, b) check::equal(a, b, __FILE__, __LINE__, #a " == " #b)
#define CHECK_CONTAINS(text, part) check::contains(text, part, __FILE__, __LINE__)

#define CHECK_MAIN()                                                                                               \
  int main(int count, char **arguments) {                                                                          \
    const std::string_view wanted = count > 1 ? arguments[1] : "";                                                 \
    for (const auto &test : check::tests()) {                                                                      \
      if (std::string_view(test.name).find(wanted) == std::string_view::npos) continue;                            \
      const int before = check::failures();                                                                        \
      try {                                                                                                        \
        test.run();                                                                                                \
      } catch (const std::exception &error) {                                                                      \
        check::report(false, __FILE__, __LINE__, std::string("exception: ") + error.what());                       \
      }                                                                                                            \
      if (check::failures() != before) std::fprintf(stderr, "FAILED %s\n", test.name);                             \
    }                                                                                                              \
    return check::failures() == 0 ? 0 : 1;                                                                         \
  }                                                                                                                \
  static_assert(true)
