// y = alpha op(a) op(b) + beta c + bias; of each plane of a batch, whose sums do not depend on what is
// around it: it has the bits that it has alone.
#include <algorithm>

#include "cpu/drivers.hpp"
#include "cpu/gemm_blocked.hpp"

namespace f2i::cpu {
namespace {

/// From a row on. The data may be null where there are no terms.
template <class T> Strided<T> operand(const View &view, int64_t row, bool transposed) {
  const T *const data = view.as<const T>();
  const Strided<T> x{data == nullptr ? data : data + row * view.ld, view.ld, 1};
  return transposed ? x.transposed() : x;
}

/// The product of a plane.
template <class T> Product<T> plane_of(const Gemm &op, int64_t plane) {
  Product<T> one;
  one.m = op.m();
  one.n = op.n();
  one.k = op.k();
  one.a = operand<T>(op.a, plane * (op.trans_a ? one.k : one.m), op.trans_a);
  one.b = operand<T>(op.b, op.shared_b ? 0 : plane * (op.trans_b ? one.n : one.k), op.trans_b);
  one.alpha = static_cast<T>(op.alpha);
  if (op.c && op.beta != 0) { // beta = 0: c may be uninitialised
    one.beta = static_cast<T>(op.beta);
    one.c = op.c.as<const T>() + plane * one.m * op.c.ld;
    one.ldc = op.c.ld;
  }
  if (op.bias) one.bias = op.bias.as<const T>() + (op.bias.rows > 1 ? plane * op.bias.ld : 0);
  one.y = op.y.as<T>() + plane * one.m * op.y.ld;
  one.ldy = op.y.ld;
  return one;
}

/// Planes that a thread computes by itself, multiply-adds and packed numbers of a: larger ones have all threads each.
constexpr int64_t small_work = int64_t{1} << 25, small_operand = int64_t{1} << 18;
/// Multiply-adds that are worth a task.
constexpr int64_t task_work = int64_t{1} << 17;

/// Whole planes are the threads' tasks. `shared`: room for one product of all threads, whose part of a is the first
/// thread's; so each has as much as the plane alone, on which the sums of thin products depend.
template <class T>
f2i_status small_planes(Exec &ex, const GemmKernel<T> &kernel, const Workspace<T> &shared, const Gemm &op, int64_t work) {
  const int64_t threads = ex.pool().threads(), step = round_up(shared.a_size, 64);
  T *const others = threads > 1 ? ex.scratch_of<T>((threads - 1) * step) : nullptr;
  if (threads > 1 && others == nullptr) return ex.fail(F2I_OUT_OF_MEMORY, "no room for the packed planes");
  const int64_t some = std::max(ceil_div(op.batch, 4 * threads), ceil_div(task_work, work));
  for_tasks(ex, ceil_div(op.batch, some), op.batch * work < serial_work, [&](int64_t task, int worker) {
    const Workspace<T> own{worker == 0 ? shared.a : others + (worker - 1) * step, shared.a_size,
                           shared.b + worker * shared.b_size, shared.b_size};
    for (int64_t plane = task * some; plane < std::min(op.batch, (task + 1) * some); ++plane) {
      Product<T> one = plane_of<T>(op, plane);
      const bool thin = is_thin(kernel, one);
      one.serial = true;
      if ((thin ? thin_product(ex, kernel, own, one) : product(ex, kernel, own, one)) != F2I_OK) return;
    }
  });
  return ex.cancelled() ? F2I_CANCELLED : F2I_OK;
}

template <class T> f2i_status gemm_of(Exec &ex, const Gemm &op) {
  const GemmKernel<T> &kernel = gemm_kernel<T>(ex.isa());
  Product<T> first = plane_of<T>(op, 0);
  if (first.m == 0 || first.n == 0) return F2I_OK;
  int64_t planes = op.batch;
  // Rows of all planes by one b are one product; but a thin one sums in another order.
  if (op.shared_b && !op.trans_a && op.bias.rows <= 1 && !is_thin(kernel, first)) {
    first.m *= planes;
    planes = 1;
  }
  Workspace<T> workspace;
  if (!workspace.reserve(ex, kernel, first.m, first.k)) {
    return ex.fail(F2I_OUT_OF_MEMORY, "no room for the packed operands");
  }
  const int64_t work = first.m * first.n * std::max<int64_t>(1, first.k);
  if (planes > 1 && work <= small_work && workspace.a_size <= small_operand) {
    return small_planes(ex, kernel, workspace, op, work);
  }
  f2i_status status = product(ex, kernel, workspace, first);
  for (int64_t plane = 1; plane < planes && status == F2I_OK; ++plane) {
    status = product(ex, kernel, workspace, plane_of<T>(op, plane));
  }
  return status;
}

/// An operand of half precision as f32, in scratch memory.
f2i_status widen(Exec &ex, View &x) {
  if (x.dtype != F2I_F16 && x.dtype != F2I_BF16) return F2I_OK;
  const View wide{ex.scratch_of<float>(std::max<int64_t>(x.rows * x.cols, 1)), x.rows, x.cols, x.cols, F2I_F32};
  if (!wide) return ex.fail(F2I_OUT_OF_MEMORY, "no room for the widened operand");
  const f2i_status status = x.rows * x.cols > 0 ? cast(ex, {x, wide}) : F2I_OK;
  x = wide;
  return status;
}

} // namespace

f2i_status gemm(Exec &ex, const Gemm &op) {
  if (op.y.dtype == F2I_F64) return gemm_of<double>(ex, op);
  Gemm wide = op;
  for (View *const x : {&wide.a, &wide.b}) {
    if (const f2i_status status = widen(ex, *x); status != F2I_OK) return status;
  }
  return gemm_of<float>(ex, wide);
}

} // namespace f2i::cpu
