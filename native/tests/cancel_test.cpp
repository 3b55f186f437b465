// Cancelling real kernels while they run: they stop at their next tile, long
// before they would have ended.
#include <chrono>
#include <thread>

#include "engine.hpp"

using namespace engine;
using namespace std::chrono_literals;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int64_t n = 600; // kernels are many times slower
constexpr auto patience = 20s;
#else
constexpr int64_t n = 2200;
constexpr auto patience = 1s;
#endif

/// Symmetric and diagonally dominant, so that every op accepts it.
Matrix<double> dominant() {
  Matrix<double> a(n, n);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) a(i, j) = i == j ? 1 : static_cast<double>((i * j) % 17 - 8) / (20.0 * n);
  return a;
}

/// Starts the op on the slowest kernels, cancels it, waits.
template <class Args, class Fill>
void check_cancel(const char *name, f2i_status (*op)(f2i_context *, const Args *), Fill fill) {
  const Engine engine(F2I_ISA_PORTABLE, 2);
  static const Matrix<double> host = dominant();
  const Device<double> a(engine, host), b(engine, host), y(engine, Matrix<double>(n, n)), w(engine, Matrix<double>(1, n));
  CHECK_EQUAL(engine.sync().status, F2I_OK);
  f2i_token *token = nullptr;
  ok(f2i_token_create(engine, &token));
  ok(f2i_context_set_token(engine, token));
  Args args = F2I_INIT(Args);
  fill(args, a, b, y, w);
  ok(op(engine, &args));
  std::this_thread::sleep_for(5ms);
  const auto start = std::chrono::steady_clock::now();
  ok(f2i_token_cancel(token));
  const f2i_failure failure = engine.sync();
  const auto took = std::chrono::steady_clock::now() - start;
  ok(f2i_token_destroy(token));
  check::report(failure.status == F2I_CANCELLED, __FILE__, __LINE__,
                std::string(name) + " was not cancelled: " + f2i_status_name(failure.status) + " " + failure.message);
  check::report(took < patience, __FILE__, __LINE__,
                std::string(name) + " took " + std::to_string(std::chrono::duration<double>(took).count()) + " s to stop");
  CHECK_EQUAL(engine.info().live_bytes, static_cast<uint64_t>(3 * n * n + n) * 8); // scratch is free again
}

} // namespace

TEST(gemm_stops) {
  check_cancel("gemm", f2i_gemm, [](auto &args, auto &a, auto &b, auto &y, auto &) {
    args.alpha = 1, args.a = a, args.b = b, args.y = y;
  });
}
TEST(gram_stops) {
  check_cancel("gram", f2i_gram, [](auto &args, auto &a, auto &, auto &y, auto &) {
    args.alpha = 1, args.x = a, args.y = y;
  });
}
TEST(cholesky_factor_stops) {
  check_cancel("cholesky_factor", f2i_cholesky_factor, [](auto &args, auto &a, auto &, auto &y, auto &) {
    args.a = a, args.y = y;
  });
}
TEST(cholesky_solve_stops) {
  check_cancel("cholesky_solve", f2i_cholesky_solve, [](auto &args, auto &a, auto &b, auto &y, auto &) {
    args.l = a, args.b = b, args.y = y;
  });
}
TEST(triangular_solve_stops) {
  check_cancel("triangular_solve", f2i_triangular_solve, [](auto &args, auto &a, auto &b, auto &y, auto &) {
    args.l = a, args.b = b, args.y = y;
  });
}
TEST(eigh_stops) {
  check_cancel("eigh", f2i_eigh, [](auto &args, auto &a, auto &, auto &y, auto &w) {
    args.a = a, args.w = w, args.q = y;
  });
}
TEST(cosine_matrix_stops) {
  check_cancel("cosine_matrix", f2i_cosine_matrix, [](auto &args, auto &a, auto &b, auto &y, auto &) {
    args.a = a, args.b = b, args.y = y;
  });
}

CHECK_MAIN();
