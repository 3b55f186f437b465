/* fmri2image native core: the one public header. C99 and C++11 callers.
 *
 * Conventions
 *  - Every call returns an f2i_status; f2i_last_error(ctx) has the text of the
 *    calling thread's last failure. Nothing aborts, exits, throws or prints.
 *  - Every descriptor and argument struct begins with struct_size; initialise
 *    it with F2I_INIT(type) (all other fields zero), so that fields may be
 *    appended later without breaking callers.
 *  - Enums are append-only. All matrices are row-major with a leading
 *    dimension (elements between two rows).
 *  - An op call checks its arguments at once and enqueues; the work runs in
 *    order on the context's queue thread (worker 0 of its pool). Buffers are
 *    allocated and freed in queue order, so a buffer may be destroyed right
 *    after the last op that uses it has been enqueued.
 *  - An execution error (a matrix that is not positive definite, memory, I/O,
 *    cancellation) poisons the outputs of the failed op and of everything
 *    computed from them; it is reported by the next wait on any of them.
 *  - Results are bit-equal from run to run on one machine and instruction set
 *    and do not depend on the number of threads.
 *  - A context may be used from one thread at a time; several contexts may
 *    live in several threads. f2i_wait_room, f2i_sync, f2i_context_get_info,
 *    f2i_context_remark and f2i_token_cancel may be called from any thread while their handle
 *    lives.
 */
#ifndef F2I_F2I_H
#define F2I_F2I_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define F2I_API __declspec(dllexport)
#else
#define F2I_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Raised whenever a struct or the meaning of a call changes incompatibly. */
#define F2I_ABI_VERSION 1u

/* Status codes: fixed numbers, append-only. */
typedef int32_t f2i_status;
enum {
  F2I_OK = 0,
  F2I_INVALID_ARGUMENT = 1,
  F2I_UNSUPPORTED = 2,
  F2I_OUT_OF_MEMORY = 3,
  F2I_IO = 4,
  F2I_CANCELLED = 5,
  F2I_NOT_POSITIVE_DEFINITE = 6,
  F2I_NO_CONVERGENCE = 7,
  F2I_POISONED = 8, /* an input came from a failed op; the text names the op */
  F2I_ABI_MISMATCH = 9,
  F2I_DEVICE_LOST = 10,
  F2I_INTERNAL = 70
};

typedef int32_t f2i_dtype;
enum { F2I_F32 = 0, F2I_F64 = 1, F2I_F16 = 2, F2I_BF16 = 3, F2I_I32 = 4, F2I_U8 = 5 };

typedef int32_t f2i_isa;
enum { F2I_ISA_AUTO = 0, F2I_ISA_PORTABLE = 1, F2I_ISA_AVX2 = 2, F2I_ISA_AVX512 = 3 };

/* What computes: the processor, or a graphics processor through a library of its
 * own that is opened when the first context asks for it. */
typedef int32_t f2i_device;
enum { F2I_DEVICE_CPU = 0, F2I_DEVICE_CUDA = 1 };

/* What a device may do to operands of f32 in products whose result is not
 * decisive for anything else: those of f2i_gemm, f2i_linear, f2i_conv2d and
 * f2i_attention. They are rounded to the named type as they are read; sums are
 * f32. F32 keeps the accuracy of f32. Statistics, gram and cosine matrices,
 * factorisations, solves, all of f64, and the CPU always keep their own. */
typedef int32_t f2i_precision;
enum {
  F2I_PRECISION_F32 = 0,
  F2I_PRECISION_TF32 = 1, /* 10 bits of mantissa, the range of f32 */
  F2I_PRECISION_BF16 = 2, /* 7 bits, the range of f32 */
  F2I_PRECISION_F16 = 3   /* 10 bits; beyond 65504 is infinity */
};

typedef struct f2i_context f2i_context;
typedef struct f2i_buffer f2i_buffer;
typedef struct f2i_graph f2i_graph; /* ops that are recorded and launched */
typedef struct f2i_token f2i_token; /* a cancellation token shared by enqueued ops */

/* Zeroed struct with struct_size set: f2i_gemm_args a = F2I_INIT(f2i_gemm_args). */
#ifdef __cplusplus
#define F2I_INIT(type) (f2i_initialised<type>())
extern "C++" {
template <class T> inline T f2i_initialised() {
  T value = T();
  value.struct_size = static_cast<uint32_t>(sizeof(T));
  return value;
}
}
#else
#define F2I_INIT(type) {.struct_size = (uint32_t)sizeof(type)}
#endif

/* ---- library -------------------------------------------------------------- */

F2I_API uint32_t f2i_abi_version(void);
F2I_API const char *f2i_version(void);             /* "0.1.0" */
F2I_API const char *f2i_status_name(f2i_status s); /* "F2I_OUT_OF_MEMORY"; never NULL */
/* Best instruction set of this CPU that the library was built with. */
F2I_API f2i_isa f2i_best_isa(void);

/* ---- devices -------------------------------------------------------------- */

typedef struct f2i_device_info {
  uint32_t struct_size;
  f2i_device device;
  int32_t index, count; /* this one, and how many there are of its kind */
  int32_t capability;   /* CUDA: 90 for compute capability 9.0 */
  int32_t processors;   /* multiprocessors; threads on the CPU */
  uint64_t memory_bytes;
  char name[64];
  /* Appended: a struct_size of 96 goes without. */
  uint64_t free_bytes; /* of its memory, that no process uses now; 0: unknown, as on the CPU */
} f2i_device_info;

/* What a context on this device would run on. F2I_UNSUPPORTED says what is
 * missing: the library, a driver, the device; info->count then says how many
 * there are of its kind, where that is known, and is 0 elsewhere. library: the path of the device's
 * library; NULL: the environment variable F2I_CUDA_LIBRARY, else libf2i_cuda.so
 * beside this library, else where the system looks. */
F2I_API f2i_status f2i_device_describe(f2i_device device, int32_t index, const char *library,
                                       f2i_device_info *info);

/* ---- context -------------------------------------------------------------- */

typedef struct f2i_context_desc {
  uint32_t struct_size;
  uint32_t abi_version;  /* F2I_ABI_VERSION of the caller; checked */
  int32_t threads;       /* workers incl. the queue thread; 0 = all cores this process may use */
  f2i_isa isa;           /* F2I_ISA_AUTO also honours the environment variable F2I_ISA
                            (portable | avx2 | avx512) */
  uint64_t memory_limit; /* bytes of buffers and workspace; 0 = no ceiling */
  /* Appended: a struct_size of 24 means a context on the CPU. */
  f2i_device device;
  int32_t device_index;
  void *stream;        /* CUDA: the caller's cudaStream_t, which outlives the context; NULL: an own one */
  const char *library; /* as in f2i_device_describe */
  f2i_precision precision; /* of products on a device; the CPU ignores it */
  int32_t reserved;        /* 0 */
} f2i_context_desc;

typedef struct f2i_context_info {
  uint32_t struct_size;
  int32_t threads;
  f2i_isa isa;
  int32_t reserved;
  uint64_t memory_limit;
  uint64_t live_bytes;  /* allocated now, in queue order */
  uint64_t peak_bytes;
  uint64_t live_buffers; /* handles not yet destroyed */
  uint64_t queued_ops;   /* enqueued and not yet finished; on a device, not yet given to it */
} f2i_context_info;

F2I_API f2i_status f2i_context_create(const f2i_context_desc *desc, f2i_context **out);
/* Drops queued work, stops the running op at its next tile, calls pending
 * notifications with F2I_CANCELLED, frees everything. NULL is fine. Buffers of
 * the context become invalid; tokens live until f2i_token_destroy. */
F2I_API f2i_status f2i_context_destroy(f2i_context *ctx);
F2I_API f2i_status f2i_context_get_info(f2i_context *ctx, f2i_context_info *info);
/* Whether the context's device has the op of this name ("gemm", "top_k"):
 * F2I_UNSUPPORTED where it has no kernel of it yet. */
F2I_API f2i_status f2i_context_supports(f2i_context *ctx, const char *op);
/* What the device has found out about itself so far, in words, cut to size: "" for nothing, as
 * always on the CPU; else for example that kernels which its check found wrong are not used. May
 * change when ops have run. Any thread. */
F2I_API f2i_status f2i_context_remark(f2i_context *ctx, char *text, uint64_t size);
/* Text of the calling thread's last failure ("" if none); valid until that
 * thread's next call. ctx may be NULL (f2i_context_create). */
F2I_API const char *f2i_last_error(const f2i_context *ctx);
/* Number given to ops enqueued from now on; reported with their errors so that
 * a binding can name the place that enqueued them. */
F2I_API f2i_status f2i_context_set_tag(f2i_context *ctx, uint64_t tag);
/* Token that ops enqueued from now on listen to; NULL for none. */
F2I_API f2i_status f2i_context_set_token(f2i_context *ctx, f2i_token *token);

/* ---- waiting -------------------------------------------------------------- */

/* What went wrong first; all zero when nothing did. */
typedef struct f2i_failure {
  uint32_t struct_size;
  f2i_status status;
  uint64_t tag;      /* tag of the op that failed */
  char op[32];       /* its name: "cholesky_factor" */
  char message[220]; /* what was expected and what was found */
} f2i_failure;

/* Blocks until the queue is empty; returns the first failure since the last
 * f2i_sync or notification with wait_all. failure may be NULL. */
F2I_API f2i_status f2i_sync(f2i_context *ctx, f2i_failure *failure);
/* Blocks until room for `bytes` exists under the ceiling (buffers whose creation
 * is still queued count as used) or the queue is empty. */
F2I_API f2i_status f2i_wait_room(f2i_context *ctx, uint64_t bytes);

/* Called on a thread of the context's, in queue order, when all that was enqueued
 * before has run. Must be quick and not call f2i. */
typedef void (*f2i_notify_fn)(void *user, const f2i_failure *failure);
/* buffer != NULL: the failure (if any) that poisoned it, or of a read of it since
 * the last report of the buffer. buffer == NULL: the first failure since the last
 * report, as f2i_sync. failure is never NULL; its status is F2I_OK when nothing
 * went wrong. fn is called exactly once, also when the context is destroyed
 * (F2I_CANCELLED). */
F2I_API f2i_status f2i_notify(f2i_context *ctx, f2i_buffer *buffer, f2i_notify_fn fn, void *user);

/* ---- cancellation --------------------------------------------------------- */

F2I_API f2i_status f2i_token_create(f2i_context *ctx, f2i_token **out);
/* Thread-safe. Queued ops of the token are dropped, running kernels stop at
 * their next tile; their outputs are poisoned with F2I_CANCELLED. */
F2I_API f2i_status f2i_token_cancel(f2i_token *token);
F2I_API f2i_status f2i_token_destroy(f2i_token *token); /* NULL is fine */

/* ---- buffers -------------------------------------------------------------- */

/* Uninitialised storage, 64-byte aligned, allocated in queue order. */
F2I_API f2i_status f2i_buffer_create(f2i_context *ctx, uint64_t bytes, f2i_buffer **out);
/* Uses the caller's memory; on a graphics processor, a copy of it, made in queue
 * order and counted against the ceiling. release (may be NULL) is called once, on
 * the queue thread or in f2i_context_destroy, when the memory is no longer used;
 * never when this call fails. The processor does not count it against the ceiling. */
typedef void (*f2i_release_fn)(void *user);
F2I_API f2i_status f2i_buffer_adopt(f2i_context *ctx, void *data, uint64_t bytes,
                                    f2i_release_fn release, void *user, f2i_buffer **out);
/* Maps bytes [offset, offset + bytes) of a file read-only: large weights never
 * pass through the caller; on a graphics processor they are copied there in
 * queue order and counted against the ceiling. Writing to it is F2I_INVALID_ARGUMENT. A file
 * shorter than offset + bytes is F2I_IO; its size is checked here, so a mapped
 * file must not be truncated afterwards (the process would get SIGBUS). */
F2I_API f2i_status f2i_buffer_map_file(f2i_context *ctx, const char *path_utf8, uint64_t offset,
                                       uint64_t bytes, f2i_buffer **out);
/* The handle is invalid at once, the storage freed in queue order. NULL is fine. */
F2I_API f2i_status f2i_buffer_destroy(f2i_context *ctx, f2i_buffer *buffer);
/* Copies src before it returns; enqueues the write. */
F2I_API f2i_status f2i_buffer_write(f2i_context *ctx, f2i_buffer *buffer, uint64_t offset,
                                    const void *src, uint64_t bytes);
/* Enqueues the copy to dst, which must stay valid until a later wait or notify. */
F2I_API f2i_status f2i_buffer_read(f2i_context *ctx, f2i_buffer *buffer, uint64_t offset, void *dst,
                                   uint64_t bytes);

/* ---- graphs --------------------------------------------------------------- */

/* Ops that repeat themselves, such as the evaluations of a sampler, recorded once
 * and launched often: enqueuing costs one call, and on a graphics processor they
 * are one piece of work (a CUDA graph). The same bits as without a graph.
 *
 *   f2i_graph_begin(ctx);                    from here ops are checked, not run
 *   f2i_buffer_create(ctx, bytes, &between); storage of the graph's
 *   f2i_linear(ctx, &first); f2i_linear(ctx, &second);
 *   f2i_buffer_destroy(ctx, between);        others of the graph may use it
 *   f2i_graph_end(ctx, &graph);
 *   for (...) { f2i_buffer_write(ctx, x, ...); f2i_graph_launch(ctx, graph); f2i_buffer_read(ctx, y, ...); }
 *
 * Ops read and write the same buffers each time, with whatever is in them; lists
 * and scalars of their arguments are as they were recorded. A call that is refused
 * is not recorded, and the recording goes on. While it does,
 *  - f2i_buffer_create and f2i_buffer_destroy are part of it. What is created and
 *    not destroyed in it is an ordinary buffer from f2i_graph_end on;
 *  - f2i_buffer_adopt and f2i_buffer_map_file work as always, once;
 *  - f2i_buffer_write and f2i_buffer_read, f2i_graph_begin and f2i_graph_launch are
 *    F2I_INVALID_ARGUMENT; waits and notifications do not see what is recorded.
 * A buffer that a graph uses may be destroyed: its storage lives as long as the
 * graph. Failures name the op and the tag under which it was recorded; they poison
 * as they would without a graph, and ops whose inputs are good run. The token is
 * that of the launch. Memory that the graph needs for itself counts against the
 * ceiling; where there is none, its ops ask for theirs at each launch. */
F2I_API f2i_status f2i_graph_begin(f2i_context *ctx);
/* Prepares the graph in queue order. out == NULL: the recording is dropped. */
F2I_API f2i_status f2i_graph_end(f2i_context *ctx, f2i_graph **out);
F2I_API f2i_status f2i_graph_launch(f2i_context *ctx, f2i_graph *graph);
/* In queue order: launches that are queued still run. NULL is fine.
 * f2i_context_destroy destroys those that are left. */
F2I_API f2i_status f2i_graph_destroy(f2i_context *ctx, f2i_graph *graph);

/* ---- ops ------------------------------------------------------------------ */

/* A row-major matrix inside a buffer. A vector of length n is 1 x n. An output
 * may overlap an input only where the op says "y may be ...", and then only by
 * being exactly the same matrix. An op whose outputs are empty does nothing;
 * otherwise no operand may be empty, but a and b of f2i_gemm (k = 0). */
typedef struct f2i_matrix {
  f2i_buffer *buffer;
  uint64_t offset; /* bytes; a multiple of the element size */
  int64_t rows, cols, ld;
  f2i_dtype dtype;
  int32_t reserved; /* 0 */
} f2i_matrix;

/* y[m,n] = alpha op(a) op(b) + beta c + bias (bias: 1 x n added to every row).
 * c and bias may have a NULL buffer. y may be c. f64, or f32 with each of a and b
 * of f32, f16 or bf16. Two operands of the same half type are multiplied as they
 * are, with sums of f32.
 * batch: that many products of one shape, each on its own, in one call: the rows
 * of each plane of a, b, c and y follow those of the one before, so that
 * y[batch m, n]. shared_b: b is one plane, for all. bias: 1 x n for all planes,
 * or batch x n, a row for each. On the CPU a plane has the bits that it has alone. */
typedef struct f2i_gemm_args {
  uint32_t struct_size;
  int32_t trans_a, trans_b; /* 0 or 1 */
  int32_t shared_b;         /* 0 or 1 */
  double alpha, beta;
  f2i_matrix a, b, c, bias, y;
  /* Appended: a struct_size of 272 means one product. */
  int64_t batch; /* 0: 1 */
} f2i_gemm_args;
F2I_API f2i_status f2i_gemm(f2i_context *ctx, const f2i_gemm_args *args);

typedef int32_t f2i_activation_kind;
enum {
  F2I_ACTIVATION_NONE = 0,
  F2I_RELU = 1,       /* max(x, 0) */
  F2I_SILU = 2,       /* x / (1 + exp(-x)) */
  F2I_GELU_ERF = 3,   /* x (1 + erf(x / sqrt(2))) / 2 */
  F2I_GELU_TANH = 4,  /* x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 */
  F2I_GELU_QUICK = 5  /* x / (1 + exp(-1.702 x)) */
};

/* y[m,n] = activation(x[m,k] w[n,k]^T + bias[1,n]) + residual[m,n]; bias and
 * residual may have a NULL buffer. w is cut into `shards` matrices of k columns
 * whose rows follow each other, at most F2I_MAX_SHARDS; the list is copied.
 * x, bias, residual, y: f32 with w of f32, f16 or bf16, or f64 with w of f64. */
enum { F2I_MAX_SHARDS = 32 };
typedef struct f2i_linear_args {
  uint32_t struct_size;
  f2i_activation_kind activation;
  int32_t shards;
  int32_t reserved;
  const f2i_matrix *w;
  f2i_matrix x, bias, residual, y;
} f2i_linear_args;
F2I_API f2i_status f2i_linear(f2i_context *ctx, const f2i_linear_args *args);

/* y = kind(x). y may be x. f32, f64. */
typedef struct f2i_activation_args {
  uint32_t struct_size;
  f2i_activation_kind kind;
  f2i_matrix x, y;
} f2i_activation_args;
F2I_API f2i_status f2i_activation(f2i_context *ctx, const f2i_activation_args *args);

/* y[m,n] = x[:, :n] kind(x[:, n:]) for x[m,2n]. f32, f64. */
typedef struct f2i_gated_activation_args {
  uint32_t struct_size;
  f2i_activation_kind kind;
  f2i_matrix x, y;
} f2i_gated_activation_args;
F2I_API f2i_status f2i_gated_activation(f2i_context *ctx, const f2i_gated_activation_args *args);

typedef int32_t f2i_attention_layout;
enum {
  F2I_HEADS_FIRST = 0, /* rows of q, y and of k, v of their own heads: [batch, heads, n] */
  F2I_HEADS_INSIDE = 1 /* [batch, n, heads] */
};

/* y = softmax(scale q k^T + bias) v for every head of every batch entry, by an
 * online softmax: memory grows with n + m, never with n m.
 *   q  [batch heads n, d]      y  [batch heads n, e]
 *   k  [batch heads m, d], or [batch m, d] for all heads (shared = 1); v like k, e columns
 *   null_key, null_value [1 or heads, d (e)]: a key and value before all others;
 *      both or neither. M = m + 1 with it, else m
 *   bias [(batch or 1) (heads or 1) n, M], added to the logits; bias_batch and
 *      bias_heads say which. -infinity hides a key
 *   mask [batch, m], u8: 0 hides a key (never the null key), whose k and v are not looked at
 *   lse  [batch heads, n]: log of the sum of exponentials of the logits
 * cosine: rows of q and keys are divided by their norms (at least 1e-12) first.
 * causal: query i sees the first i + 1 + M - n keys. A query that sees no key
 * gives zeros, lse -infinity. Weights below e^-87 of the largest may count as 0.
 * null_key, null_value, bias, mask and lse may have a NULL buffer. f32, f64. */
typedef struct f2i_attention_args {
  uint32_t struct_size;
  f2i_attention_layout layout;
  int32_t cosine, causal, shared, bias_batch, bias_heads;
  int32_t reserved;
  int64_t batch, heads;
  double scale;
  f2i_matrix q, k, v, null_key, null_value, bias, mask, y, lse;
} f2i_attention_args;
F2I_API f2i_status f2i_attention(f2i_context *ctx, const f2i_attention_args *args);

/* y = activation((x - mean) / sqrt(variance + eps) gain + bias) by row, the
 * variance divided by the columns. stable: each row is divided by its signed
 * maximum first. gain and bias (1 x cols) may have a NULL buffer. y may be x.
 * f32, f64. */
typedef struct f2i_layer_norm_args {
  uint32_t struct_size;
  f2i_activation_kind activation;
  int32_t stable;
  int32_t reserved;
  double eps;
  f2i_matrix x, gain, bias, y;
} f2i_layer_norm_args;
F2I_API f2i_status f2i_layer_norm(f2i_context *ctx, const f2i_layer_norm_args *args);

/* The same over groups of neighbouring channels. x and y: one row a channel,
 * the channels of each batch entry one after the other; gain, bias: 1 x
 * channels. y may be x. f32, f64. */
typedef struct f2i_group_norm_args {
  uint32_t struct_size;
  f2i_activation_kind activation;
  int32_t channels, groups;
  double eps;
  f2i_matrix x, gain, bias, y;
} f2i_group_norm_args;
F2I_API f2i_status f2i_group_norm(f2i_context *ctx, const f2i_group_norm_args *args);

/* y = exp(x - max) / sum exp(x - max) by row, or its logarithm. y may be x.
 * f32, f64. */
typedef struct f2i_softmax_args {
  uint32_t struct_size;
  int32_t log;
  f2i_matrix x, y;
} f2i_softmax_args;
F2I_API f2i_status f2i_softmax(f2i_context *ctx, const f2i_softmax_args *args);

/* y = activation(cross-correlation of x and w + bias) + residual.
 *   x  [batch channels height, width]   y, residual [batch outputs, out_height out_width]
 *   w  [outputs, channels / groups kernel_height kernel_width]; bias 1 x outputs
 * top, bottom, left, right: rows and columns of zeros around each picture;
 * out_height = (height + top + bottom - kernel_height) / stride + 1, likewise
 * out_width. bias and residual may have a NULL buffer. x, y and residual have
 * no gap between rows. f32 with w of f32, f16 or bf16, or f64. */
typedef struct f2i_conv2d_args {
  uint32_t struct_size;
  f2i_activation_kind activation;
  int32_t batch, channels, height, kernel_height, kernel_width;
  int32_t stride, top, bottom, left, right, groups;
  int32_t reserved;
  f2i_matrix x, w, bias, residual, y;
} f2i_conv2d_args;
F2I_API f2i_status f2i_conv2d(f2i_context *ctx, const f2i_conv2d_args *args);

/* y = the matrices of a list beside each other. Any dtype. The list is copied. */
enum { F2I_MAX_PARTS = 36 };
typedef struct f2i_concat_args {
  uint32_t struct_size;
  int32_t count;
  const f2i_matrix *x;
  f2i_matrix y;
} f2i_concat_args;
F2I_API f2i_status f2i_concat(f2i_context *ctx, const f2i_concat_args *args);

/* y[i,j] = x[i, start + j]. Any dtype. */
typedef struct f2i_slice_args {
  uint32_t struct_size;
  int32_t reserved;
  int64_t start;
  f2i_matrix x, y;
} f2i_slice_args;
F2I_API f2i_status f2i_slice(f2i_context *ctx, const f2i_slice_args *args);

/* The axes of a dense array x of extents shape[0 .. rank) in another order:
 * axis i of y is axis axes[i] of x. x and y are 1 x size. Any dtype. */
enum { F2I_MAX_RANK = 6 };
typedef struct f2i_permute_args {
  uint32_t struct_size;
  int32_t rank;
  int64_t shape[F2I_MAX_RANK];
  int32_t axes[F2I_MAX_RANK];
  f2i_matrix x, y;
} f2i_permute_args;
F2I_API f2i_status f2i_permute(f2i_context *ctx, const f2i_permute_args *args);

/* Turns neighbours: (a, b) -> (a cos - b sin, b cos + a sin) for columns 2 p and
 * 2 p + 1 of each row, p < cos.cols; the other columns are copied. Row i has
 * position i / inside modulo cos.rows. f32, f64. */
typedef struct f2i_rotary_args {
  uint32_t struct_size;
  int32_t reserved;
  int64_t inside;
  f2i_matrix x, cos, sin, y;
} f2i_rotary_args;
F2I_API f2i_status f2i_rotary(f2i_context *ctx, const f2i_rotary_args *args);

/* y[h,i] = table[buckets[i], h]; y.cols buckets, copied. f32, f64. */
typedef struct f2i_relative_position_bias_args {
  uint32_t struct_size;
  int32_t reserved;
  const int32_t *buckets;
  f2i_matrix table, y;
} f2i_relative_position_bias_args;
F2I_API f2i_status f2i_relative_position_bias(f2i_context *ctx, const f2i_relative_position_bias_args *args);

/* y[i,j] = x[i / factor, j / factor]. f32, f64. */
typedef struct f2i_upsample_nearest_args {
  uint32_t struct_size;
  int32_t factor;
  f2i_matrix x, y;
} f2i_upsample_nearest_args;
F2I_API f2i_status f2i_upsample_nearest(f2i_context *ctx, const f2i_upsample_nearest_args *args);

/* What each of `outputs` positions along one axis is made of: position i of the
 * result is the sum of weights[i count + p] times position first[i] + p of the
 * input, p < count. All of them lie inside: 0 <= first[i] <= inputs - count; a
 * tap of weight 0 counts as none, so that a NaN under it stays where it is.
 * Linear interpolation between the centres of pixels from n to m positions, for
 * one, has count 2 (1 where n is 1): with c = max(0, (i + 0.5) n / m - 0.5) and
 * first[i] = min(floor(c), n - 2) the weights are 1 - t and t, t = min(c, n - 1) - first[i]. */
typedef struct f2i_taps {
  int32_t outputs, count;
  const int32_t *first;  /* [outputs] */
  const double *weights; /* [outputs, count] */
} f2i_taps;

/* Pictures of another size, by the taps of their rows and of their columns.
 *   x [pictures height, width]   y [pictures rows.outputs, columns.outputs]
 * The lists are copied before the call returns. f32, f64. */
typedef struct f2i_resize2d_args {
  uint32_t struct_size;
  int32_t height;
  f2i_taps rows, columns;
  f2i_matrix x, y;
} f2i_resize2d_args;
F2I_API f2i_status f2i_resize2d(f2i_context *ctx, const f2i_resize2d_args *args);

/* y[i,j] = the largest of x[i, floor(j n / m) .. ceil((j + 1) n / m)) for x of n
 * and y of m columns; a NaN wins. f32, f64. */
typedef struct f2i_adaptive_max_pool1d_args {
  uint32_t struct_size;
  int32_t reserved;
  f2i_matrix x, y;
} f2i_adaptive_max_pool1d_args;
F2I_API f2i_status f2i_adaptive_max_pool1d(f2i_context *ctx, const f2i_adaptive_max_pool1d_args *args);

/* Standard normals from a counter, whatever the shape: y[i,j] is element
 * e = offset + i y.cols + j of the stream of `seed`, made of word e mod 4 of
 * Philox4x32-10 (Salmon et al. 2011) with counter (b mod 2^32, b / 2^32, 0, 0),
 * b = e / 4, and key (seed mod 2^32, seed / 2^32). Words 0 and 1 of a block make
 * a pair, and so do words 2 and 3: u, v = (word / 512 + 1/2) / 2^23, integer
 * division; its normals (Box and Muller 1958) are sqrt(-2 ln u) cos(2 pi v) for
 * the even and sqrt(-2 ln u) sin(2 pi v) for the odd element. f32 and f64 are
 * normals, bit-equal on all instruction sets and right to 1e-14 before f32
 * rounds; i32 are the words. */
typedef struct f2i_random_normal_args {
  uint32_t struct_size;
  int32_t reserved;
  uint64_t seed, offset;
  f2i_matrix y;
} f2i_random_normal_args;
F2I_API f2i_status f2i_random_normal(f2i_context *ctx, const f2i_random_normal_args *args);

/* y = alpha x x^T [rows, rows] (columns = 0) or alpha x^T x [cols, cols]
 * (columns = 1). One triangle is computed, both are stored. f32, f64. */
typedef struct f2i_gram_args {
  uint32_t struct_size;
  int32_t columns;
  double alpha;
  f2i_matrix x, y;
} f2i_gram_args;
F2I_API f2i_status f2i_gram(f2i_context *ctx, const f2i_gram_args *args);

/* y = lower Cholesky factor of a + shift I; the strict upper triangle of y is
 * zero. Only the lower triangle of a is read. y may be a. A pivot that is not
 * positive: F2I_NOT_POSITIVE_DEFINITE, naming it. f32, f64. */
typedef struct f2i_cholesky_factor_args {
  uint32_t struct_size;
  int32_t reserved;
  double shift;
  f2i_matrix a, y;
} f2i_cholesky_factor_args;
F2I_API f2i_status f2i_cholesky_factor(f2i_context *ctx, const f2i_cholesky_factor_args *args);

/* y[n,t] with l l^T y = b. y may be b. f32, f64. */
typedef struct f2i_cholesky_solve_args {
  uint32_t struct_size;
  int32_t reserved;
  f2i_matrix l, b, y;
} f2i_cholesky_solve_args;
F2I_API f2i_status f2i_cholesky_solve(f2i_context *ctx, const f2i_cholesky_solve_args *args);

/* y[n,t] with l y = b, or l^T y = b (transpose = 1); l lower triangular, its
 * upper part never read. y may be b. f32, f64. */
typedef struct f2i_triangular_solve_args {
  uint32_t struct_size;
  int32_t transpose;
  f2i_matrix l, b, y;
} f2i_triangular_solve_args;
F2I_API f2i_status f2i_triangular_solve(f2i_context *ctx, const f2i_triangular_solve_args *args);

/* a = q diag(w) q^T; w (1 x n) ascending, eigenvectors in the columns of q.
 * Only the lower triangle of a is read. Each eigenvector's entry of largest
 * magnitude (the first of equals) is positive. f32, f64. */
typedef struct f2i_eigh_args {
  uint32_t struct_size;
  int32_t reserved;
  f2i_matrix a, w, q;
} f2i_eigh_args;
F2I_API f2i_status f2i_eigh(f2i_context *ctx, const f2i_eigh_args *args);

/* mean and standard deviation (divisor rows - ddof) of each column; either
 * output may have a NULL buffer. f32, f64. */
typedef struct f2i_column_stats_args {
  uint32_t struct_size;
  int32_t ddof;
  f2i_matrix x, mean, std;
} f2i_column_stats_args;
F2I_API f2i_status f2i_column_stats(f2i_context *ctx, const f2i_column_stats_args *args);

/* y = (x - mean) / std by column; mean or std may have a NULL buffer (0 and 1).
 * A column whose std is 0 becomes 0. y may be x. f32, f64. */
typedef struct f2i_standardize_args {
  uint32_t struct_size;
  int32_t reserved;
  f2i_matrix x, mean, std, y;
} f2i_standardize_args;
F2I_API f2i_status f2i_standardize(f2i_context *ctx, const f2i_standardize_args *args);

/* r[1,t] = Pearson correlation of column j of a with column j of b; 0 where
 * either has no variance. f32, f64. */
typedef struct f2i_pearson_columns_args {
  uint32_t struct_size;
  int32_t reserved;
  f2i_matrix a, b, y;
} f2i_pearson_columns_args;
F2I_API f2i_status f2i_pearson_columns(f2i_context *ctx, const f2i_pearson_columns_args *args);

/* y[n,m] = cosine of row i of a and row j of b; 0 where either is zero. f32, f64. */
typedef struct f2i_cosine_matrix_args {
  uint32_t struct_size;
  int32_t reserved;
  f2i_matrix a, b, y;
} f2i_cosine_matrix_args;
F2I_API f2i_status f2i_cosine_matrix(f2i_context *ctx, const f2i_cosine_matrix_args *args);

/* The k largest (smallest = 1: smallest) entries of each row, best first;
 * ties by lower index, NaN last. values: dtype of x, indices: i32, both
 * [rows, k]; 1 <= k <= cols. f32, f64. */
typedef struct f2i_top_k_args {
  uint32_t struct_size;
  int32_t smallest;
  f2i_matrix x, values, indices;
} f2i_top_k_args;
F2I_API f2i_status f2i_top_k(f2i_context *ctx, const f2i_top_k_args *args);

typedef int32_t f2i_elementwise_kind;
enum {
  /* binary */
  F2I_ADD = 0, F2I_SUB = 1, F2I_MUL = 2, F2I_DIV = 3, F2I_MAX = 4, F2I_MIN = 5,
  /* unary: b is ignored */
  F2I_NEG = 16, F2I_ABS = 17, F2I_SQRT = 18, F2I_SQUARE = 19, F2I_EXP = 20, F2I_LOG = 21
};
/* y[i,j] = a[i,j] kind b[i or 0, j or 0]: b has a's rows or 1, a's cols or 1.
 * With a NULL b.buffer the scalar is used. y may be a. f32, f64, i32 (no sqrt,
 * exp, log, div on i32). */
typedef struct f2i_elementwise_args {
  uint32_t struct_size;
  f2i_elementwise_kind kind;
  double scalar;
  f2i_matrix a, b, y;
} f2i_elementwise_args;
F2I_API f2i_status f2i_elementwise(f2i_context *ctx, const f2i_elementwise_args *args);

/* y[i,j] = x[row_indices[i], col_indices[j]]; a NULL list means all. The lists
 * are copied before the call returns; an index out of range is
 * F2I_INVALID_ARGUMENT. Any dtype. */
typedef struct f2i_gather_args {
  uint32_t struct_size;
  int32_t reserved;
  const int32_t *row_indices, *col_indices;
  f2i_matrix x, y;
} f2i_gather_args;
F2I_API f2i_status f2i_gather(f2i_context *ctx, const f2i_gather_args *args);

/* Converts between f32, f64, f16, bf16 (round to nearest even), i32 (truncates,
 * saturates) and u8 (likewise). */
typedef struct f2i_cast_args {
  uint32_t struct_size;
  int32_t reserved;
  f2i_matrix x, y;
} f2i_cast_args;
F2I_API f2i_status f2i_cast(f2i_context *ctx, const f2i_cast_args *args);

#ifdef __cplusplus
}
#endif
#endif
