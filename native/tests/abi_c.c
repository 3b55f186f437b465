/* A caller in C99, built with -pedantic -Werror: the whole way from a context
 * to a ridge solution, and what a mistake looks like. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "f2i/f2i.h"

#define N 3

static int failures = 0;

static void check(int condition, const char *what, int line) {
  if (condition) return;
  ++failures;
  fprintf(stderr, "abi_c.c:%d: %s (last error: %s)\n", line, what, f2i_last_error(NULL));
}
#define CHECK(condition) check((condition), #condition, __LINE__)
#define OK(call) check((call) == F2I_OK, #call, __LINE__)

static void count_release(void *user) { ++*(int *)user; }

static void keep_report(void *user, const f2i_failure *failure) { *(f2i_failure *)user = *failure; }

static f2i_matrix matrix(f2i_buffer *buffer, int64_t rows, int64_t cols) {
  f2i_matrix m;
  memset(&m, 0, sizeof m);
  m.buffer = buffer;
  m.rows = rows;
  m.cols = cols;
  m.ld = cols;
  m.dtype = F2I_F64;
  return m;
}

int main(void) {
  const double x[N * 2] = {1, 2, 0, 1, -1, 3}, y[N] = {1, 2, 3};
  double dual[N], prediction[N], gram[N * N], adopted[N];
  int released = 0;
  f2i_context *context = NULL;
  f2i_buffer *bx = NULL, *by = NULL, *bk = NULL, *ba = NULL, *bp = NULL;
  f2i_context_desc desc = F2I_INIT(f2i_context_desc);
  f2i_context_info info = F2I_INIT(f2i_context_info);
  f2i_gram_args gram_args = F2I_INIT(f2i_gram_args);
  f2i_cholesky_factor_args factor_args = F2I_INIT(f2i_cholesky_factor_args);
  f2i_cholesky_solve_args solve_args = F2I_INIT(f2i_cholesky_solve_args);
  f2i_gemm_args gemm_args = F2I_INIT(f2i_gemm_args);
  f2i_failure failure = F2I_INIT(f2i_failure);
  f2i_failure report = F2I_INIT(f2i_failure);
  int i, j;

  CHECK(f2i_abi_version() == F2I_ABI_VERSION);
  CHECK(strlen(f2i_version()) > 0);
  CHECK(strcmp(f2i_status_name(F2I_OUT_OF_MEMORY), "F2I_OUT_OF_MEMORY") == 0);
  CHECK(f2i_status_name(-12345) != NULL);

  /* A caller of another ABI is refused. */
  desc.abi_version = F2I_ABI_VERSION + 1;
  CHECK(f2i_context_create(&desc, &context) == F2I_ABI_MISMATCH);
  CHECK(context == NULL && strstr(f2i_last_error(NULL), "abi_version") != NULL);

  desc.abi_version = F2I_ABI_VERSION;
  desc.threads = 2;
  OK(f2i_context_create(&desc, &context));
  if (context == NULL) return 1;

  /* Dual ridge: a = (x x^T + I)^-1 y, prediction = x x^T a. */
  OK(f2i_buffer_create(context, sizeof x, &bx));
  OK(f2i_buffer_create(context, sizeof gram, &bk));
  OK(f2i_buffer_create(context, sizeof gram, &ba));
  OK(f2i_buffer_create(context, sizeof prediction, &bp));
  memcpy(adopted, y, sizeof y);
  OK(f2i_buffer_adopt(context, adopted, sizeof adopted, count_release, &released, &by));
  OK(f2i_buffer_write(context, bx, 0, x, sizeof x));

  gram_args.alpha = 1;
  gram_args.x = matrix(bx, N, 2);
  gram_args.y = matrix(bk, N, N);
  OK(f2i_gram(context, &gram_args));
  factor_args.shift = 1;
  factor_args.a = gram_args.y;
  factor_args.y = matrix(ba, N, N);
  OK(f2i_cholesky_factor(context, &factor_args));
  solve_args.l = factor_args.y;
  solve_args.b = matrix(by, N, 1);
  solve_args.y = solve_args.b; /* in place, in our own memory */
  OK(f2i_cholesky_solve(context, &solve_args));
  gemm_args.alpha = 1;
  gemm_args.a = gram_args.y;
  gemm_args.b = solve_args.y;
  gemm_args.y = matrix(bp, N, 1);
  OK(f2i_gemm(context, &gemm_args));
  OK(f2i_buffer_read(context, bp, 0, prediction, sizeof prediction));
  OK(f2i_buffer_read(context, bk, 0, gram, sizeof gram));
  OK(f2i_sync(context, NULL));
  memcpy(dual, adopted, sizeof dual);
  for (i = 0; i < N; ++i) {
    double k_dual = 0;
    for (j = 0; j < N; ++j) {
      const double k = x[2 * i] * x[2 * j] + x[2 * i + 1] * x[2 * j + 1];
      CHECK(gram[N * i + j] == k);
      k_dual += k * dual[j];
    }
    CHECK(fabs(k_dual - prediction[i]) < 1e-14);
    CHECK(fabs(k_dual + dual[i] - y[i]) < 1e-14); /* (K + I) a = y */
  }

  /* A mistake is a status and a text, at once. */
  gemm_args.b.rows = 2;
  CHECK(f2i_gemm(context, &gemm_args) == F2I_INVALID_ARGUMENT);
  CHECK(strcmp(f2i_last_error(context), "gemm: b: shape: expected 3 x 1, found 2 x 1") == 0);

  /* A failure of execution comes at the next wait. */
  factor_args.shift = -100;
  OK(f2i_context_set_tag(context, 5));
  OK(f2i_cholesky_factor(context, &factor_args));
  OK(f2i_notify(context, ba, keep_report, &report));
  CHECK(f2i_sync(context, &failure) == F2I_NOT_POSITIVE_DEFINITE);
  CHECK(failure.status == F2I_NOT_POSITIVE_DEFINITE && failure.tag == 5);
  CHECK(report.status == F2I_NOT_POSITIVE_DEFINITE && strcmp(report.op, "cholesky_factor") == 0);

  CHECK(released == 0);
  OK(f2i_buffer_destroy(context, by));
  OK(f2i_buffer_destroy(context, NULL));
  OK(f2i_sync(context, NULL));
  CHECK(released == 1);
  OK(f2i_context_get_info(context, &info));
  CHECK(info.threads == 2 && info.live_buffers == 4 && info.queued_ops == 0);
  CHECK(info.live_bytes == sizeof x + 2 * sizeof gram + sizeof prediction);
  OK(f2i_context_destroy(context));
  return failures == 0 ? 0 : 1;
}
