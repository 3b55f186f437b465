#include "layers.hpp"

#include <algorithm>
#include <stdexcept>

namespace bench {
namespace {

double silu(double x) { return x / (1 + std::exp(-x)); }
double gelu(double x) { return x * std::erfc(-x * std::sqrt(0.5)) / 2; }

/// Rows i of y are made of rows i of x: fn(j) of the row, found by a closure of the row.
template <class T, class Args> void on_rows(OpProblem<T> &p, f2i_status (*fn)(f2i_context *, const Args *), Args args,
                                            int64_t out_cols, std::function<void(const std::vector<double> &, std::vector<double> &)> formula,
                                            double k, double size) {
  auto &x = p.input(p.shape[0], p.shape[1]), &y = p.output(p.shape[0], out_cols);
  args.x = x.view(), args.y = y.view();
  p.call(fn, args);
  p.compare_entries(y, k, [&x, formula, out_cols, size](int64_t i, int64_t j, double &value, double &scale) {
    std::vector<double> row(static_cast<size_t>(x.cols)), out(static_cast<size_t>(out_cols));
    for (int64_t c = 0; c < x.cols; ++c) row[static_cast<size_t>(c)] = x(i, c);
    formula(row, out);
    value = out[static_cast<size_t>(j)];
    scale = size + std::abs(value);
  });
}

/// Output positions by linear interpolation between the centres of pixels: the example of f2i_taps.
struct Bilinear {
  std::vector<int32_t> first;
  std::vector<double> weights;

  Bilinear(int64_t from, int64_t to) {
    const int64_t count = std::min<int64_t>(from, 2);
    for (int64_t i = 0; i < to; ++i) {
      const double n = static_cast<double>(from), centre = std::max(0.0, (static_cast<double>(i) + 0.5) * n / static_cast<double>(to) - 0.5);
      const auto at = static_cast<int32_t>(std::min(std::floor(centre), static_cast<double>(from - count)));
      const double t = std::min(centre, n - 1) - at;
      first.push_back(at);
      if (count == 2) weights.push_back(1 - t), weights.push_back(t);
      else weights.push_back(1);
    }
  }
  int64_t count() const { return static_cast<int64_t>(weights.size() / first.size()); }
  f2i_taps view() const { return {static_cast<int32_t>(first.size()), static_cast<int32_t>(count()), first.data(), weights.data()}; }
};

int32_t narrow(int64_t extent) { return static_cast<int32_t>(extent); }

template <class T> void make_linear(OpProblem<T> &p) {
  const int64_t m = p.shape[0], k = p.shape[1], n = p.shape[2];
  auto &x = p.input(m, k), &w = p.input(n, k), &bias = p.input(1, n), &y = p.output(m, n);
  f2i_linear_args args = F2I_INIT(f2i_linear_args);
  auto shard = std::make_shared<f2i_matrix>(w.view());
  args.shards = 1, args.w = shard.get(), args.x = x.view(), args.bias = bias.view(), args.y = y.view();
  p.keep(shard);
  p.call(f2i_linear, args);
  p.flops = 2 * p.extent(0) * p.extent(1) * p.extent(2);
  p.compare_entries(y, p.extent(1), [&](int64_t i, int64_t j, double &value, double &size) {
    value = bias(0, j), size = std::abs(value);
    for (int64_t c = 0; c < x.cols; ++c) value += x(i, c) * w(j, c), size += std::abs(x(i, c) * w(j, c));
  });
}

template <class T> void make_attention(OpProblem<T> &p) {
  const int64_t batch = p.shape[0], heads = p.shape[1], n = p.shape[2], m = p.shape[3], dim = p.shape[4];
  auto &q = p.input(batch * heads * n, dim), &k = p.input(batch * heads * m, dim), &v = p.input(batch * heads * m, dim);
  auto &y = p.output(batch * heads * n, dim);
  f2i_attention_args args = F2I_INIT(f2i_attention_args);
  args.batch = batch, args.heads = heads, args.scale = 1 / std::sqrt(static_cast<double>(dim));
  args.q = q.view(), args.k = k.view(), args.v = v.view(), args.y = y.view();
  p.call(f2i_attention, args);
  p.flops = 4 * p.extent(0) * p.extent(1) * p.extent(2) * p.extent(3) * p.extent(4);
  p.compare_entries(y, p.extent(3), [&, n, m, scale = args.scale](int64_t i, int64_t j, double &value, double &size) {
    const int64_t first = i / n * m;
    std::vector<double> logits(static_cast<size_t>(m));
    for (int64_t r = 0; r < m; ++r)
      for (int64_t c = 0; c < q.cols; ++c) logits[static_cast<size_t>(r)] += scale * q(i, c) * k(first + r, c);
    const double most = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (int64_t r = 0; r < m; ++r) {
      const double weight = std::exp(logits[static_cast<size_t>(r)] - most);
      sum += weight, value += weight * v(first + r, j), size += weight * std::abs(v(first + r, j));
    }
    value /= sum, size *= (8 + std::abs(most)) / sum; // logits round, too
  });
}

template <class T> void make_norms(OpProblem<T> &p, bool grouped) {
  const int64_t rows = grouped ? p.shape[0] * p.shape[1] : p.shape[0], cols = grouped ? p.shape[2] : p.shape[1];
  const int64_t channels = grouped ? p.shape[1] : cols, groups = grouped ? p.shape[3] : 1;
  if (channels % groups != 0) throw std::invalid_argument("group_norm expects a divisor of the channels as G");
  auto &x = p.input(rows, cols, 1, 2), &gain = p.input(1, channels), &bias = p.input(1, channels), &y = p.output(rows, cols);
  if (grouped) {
    f2i_group_norm_args args = F2I_INIT(f2i_group_norm_args);
    args.channels = narrow(channels), args.groups = narrow(groups), args.eps = 1e-5;
    args.x = x.view(), args.gain = gain.view(), args.bias = bias.view(), args.y = y.view();
    p.call(f2i_group_norm, args);
  } else {
    f2i_layer_norm_args args = F2I_INIT(f2i_layer_norm_args);
    args.eps = 1e-5, args.x = x.view(), args.gain = gain.view(), args.bias = bias.view(), args.y = y.view();
    p.call(f2i_layer_norm, args);
  }
  const int64_t together = grouped ? channels / groups : 1;
  p.compare_entries(y, static_cast<double>(together * cols), [&, grouped, together, channels](int64_t i, int64_t j, double &value, double &size) {
    const int64_t first = i / together * together, factor = grouped ? i % channels : j;
    const double count = static_cast<double>(together * x.cols);
    double mean = 0, variance = 0;
    for (int64_t r = first; r < first + together; ++r)
      for (int64_t c = 0; c < x.cols; ++c) mean += x(r, c) / count;
    for (int64_t r = first; r < first + together; ++r)
      for (int64_t c = 0; c < x.cols; ++c) variance += (x(r, c) - mean) * (x(r, c) - mean) / count;
    const double scale = gain(0, factor) / std::sqrt(variance + 1e-5);
    value = (x(i, j) - mean) * scale + bias(0, factor);
    size = (std::abs(x(i, j)) + std::abs(mean)) * std::abs(scale) + std::abs(value);
  });
}

template <class T> void make_conv2d(OpProblem<T> &p) {
  const int64_t batch = p.shape[0], c = p.shape[1], h = p.shape[2], w = p.shape[3], outputs = p.shape[4], side = p.shape[5];
  if (side % 2 == 0) throw std::invalid_argument("conv2d expects an odd K");
  auto &x = p.input(batch * c * h, w), &kernel = p.input(outputs, c * side * side), &y = p.output(batch * outputs, h * w);
  f2i_conv2d_args args = F2I_INIT(f2i_conv2d_args);
  args.batch = narrow(batch), args.channels = narrow(c), args.height = narrow(h);
  args.kernel_height = args.kernel_width = narrow(side), args.stride = args.groups = 1;
  args.top = args.bottom = args.left = args.right = narrow(side / 2);
  args.x = x.view(), args.w = kernel.view(), args.y = y.view();
  p.call(f2i_conv2d, args);
  p.flops = 2 * static_cast<double>(batch * outputs * h * w) * static_cast<double>(c * side * side);
  p.compare_entries(y, static_cast<double>(c * side * side), [&, c, h, w, outputs, side](int64_t i, int64_t j, double &value, double &size) {
    for (int64_t t = 0; t < c * side * side; ++t) {
      const int64_t row = j / w + t / side % side - side / 2, col = j % w + t % side - side / 2;
      if (row < 0 || row >= h || col < 0 || col >= w) continue;
      const double term = kernel(i % outputs, t) * x((i / outputs * c + t / (side * side)) * h + row, col);
      value += term, size += std::abs(term);
    }
  });
}

template <class T> void make_resize2d(OpProblem<T> &p) {
  const int64_t pictures = p.shape[0], h = p.shape[1], w = p.shape[2], out_h = p.shape[3], out_w = p.shape[4];
  auto rows = std::make_shared<Bilinear>(h, out_h), columns = std::make_shared<Bilinear>(w, out_w);
  auto &x = p.input(pictures * h, w), &y = p.output(pictures * out_h, out_w);
  f2i_resize2d_args args = F2I_INIT(f2i_resize2d_args);
  args.height = narrow(h), args.rows = rows->view(), args.columns = columns->view(), args.x = x.view(), args.y = y.view();
  p.keep(rows), p.keep(columns);
  p.call(f2i_resize2d, args);
  p.flops = 2 * static_cast<double>(pictures * out_h) * static_cast<double>(w * rows->count() + out_w * columns->count());
  p.compare_entries(y, 4, [&x, rows, columns, h, out_h](int64_t i, int64_t j, double &value, double &size) {
    const auto r = static_cast<size_t>(i % out_h), c = static_cast<size_t>(j);
    for (int64_t a = 0; a < rows->count(); ++a) {
      for (int64_t b = 0; b < columns->count(); ++b) {
        const double weight = rows->weights[r * static_cast<size_t>(rows->count()) + static_cast<size_t>(a)] *
                              columns->weights[c * static_cast<size_t>(columns->count()) + static_cast<size_t>(b)];
        const double term = weight * x(i / out_h * h + rows->first[r] + a, columns->first[c] + b);
        value += term, size += std::abs(term);
      }
    }
  });
}

template <class T> void make_random_normal(OpProblem<T> &p) {
  auto &y = p.output(p.shape[0], p.shape[1]);
  f2i_random_normal_args args = F2I_INIT(f2i_random_normal_args);
  args.seed = 42, args.y = y.view();
  p.call(f2i_random_normal, args);
  p.checked_by([&] { // mean and variance, to five standard errors
    y.download();
    double sum = 0, squares = 0;
    const double n = p.extent(0) * p.extent(1);
    for (const T value : y.host) sum += static_cast<double>(value), squares += static_cast<double>(value) * static_cast<double>(value);
    return std::max(std::abs(sum / n), std::abs(squares / n - 1) / std::sqrt(2.0)) * std::sqrt(n) / 5;
  });
}

/// y(i, j) is an entry of x, whose place a closure finds.
template <class T> void moves(OpProblem<T> &p, Matrix<T> &x, Matrix<T> &y, std::function<std::pair<int64_t, int64_t>(int64_t, int64_t)> place) {
  p.compare_entries(y, 1, [&x, place](int64_t i, int64_t j, double &value, double &size) {
    const auto [row, col] = place(i, j);
    value = x(row, col);
    size = 0; // exact
  });
}

template <class T> void make_moves(OpProblem<T> &p, const std::string &op) {
  const std::vector<int64_t> &s = p.shape;
  if (op == "concat") {
    auto &a = p.input(s[0], s[1]), &b = p.input(s[0], s[2]), &y = p.output(s[0], s[1] + s[2]);
    auto parts = std::make_shared<std::vector<f2i_matrix>>(std::vector<f2i_matrix>{a.view(), b.view()});
    f2i_concat_args args = F2I_INIT(f2i_concat_args);
    args.count = 2, args.x = parts->data(), args.y = y.view();
    p.keep(parts);
    p.call(f2i_concat, args);
    p.compare_entries(y, 1, [&](int64_t i, int64_t j, double &value, double &size) {
      value = j < a.cols ? a(i, j) : b(i, j - a.cols), size = 0;
    });
  } else if (op == "slice") {
    if (s[2] >= s[1]) throw std::invalid_argument("slice expects a START before the last of COLS");
    auto &x = p.input(s[0], s[1]), &y = p.output(s[0], s[1] - s[2]);
    f2i_slice_args args = F2I_INIT(f2i_slice_args);
    args.start = s[2], args.x = x.view(), args.y = y.view();
    p.call(f2i_slice, args);
    moves<T>(p, x, y, [start = s[2]](int64_t i, int64_t j) { return std::pair(i, start + j); });
  } else if (op == "permute") {
    const int64_t size = s[0] * s[1] * s[2] * s[3];
    auto &x = p.input(1, size), &y = p.output(1, size);
    f2i_permute_args args = F2I_INIT(f2i_permute_args);
    args.rank = 4, args.x = x.view(), args.y = y.view();
    const int32_t axes[] = {0, 2, 1, 3};
    std::copy(s.begin(), s.end(), args.shape);
    std::copy(axes, axes + 4, args.axes);
    p.call(f2i_permute, args);
    moves<T>(p, x, y, [n = s[1], h = s[2], d = s[3]](int64_t, int64_t j) {
      const int64_t col = j % d, row = j / d % n, head = j / (d * n) % h, item = j / (d * n * h);
      return std::pair(int64_t{0}, ((item * n + row) * h + head) * d + col);
    });
  } else if (op == "upsample_nearest") {
    auto &x = p.input(s[0] * s[1], s[2]), &y = p.output(s[0] * s[1] * s[3], s[2] * s[3]);
    f2i_upsample_nearest_args args = F2I_INIT(f2i_upsample_nearest_args);
    args.factor = narrow(s[3]), args.x = x.view(), args.y = y.view();
    p.call(f2i_upsample_nearest, args);
    moves<T>(p, x, y, [factor = s[3]](int64_t i, int64_t j) { return std::pair(i / factor, j / factor); });
  } else if (op == "relative_position_bias") {
    auto buckets = std::make_shared<std::vector<int32_t>>(static_cast<size_t>(s[1]));
    for (int32_t &bucket : *buckets) bucket = narrow(p.below(32));
    auto &table = p.input(32, s[0]), &y = p.output(s[0], s[1]);
    f2i_relative_position_bias_args args = F2I_INIT(f2i_relative_position_bias_args);
    args.buckets = buckets->data(), args.table = table.view(), args.y = y.view();
    p.keep(buckets);
    p.call(f2i_relative_position_bias, args);
    moves<T>(p, table, y, [buckets](int64_t i, int64_t j) { return std::pair(int64_t{(*buckets)[static_cast<size_t>(j)]}, i); });
  } else { // adaptive_max_pool1d
    auto &x = p.input(s[0], s[1]), &y = p.output(s[0], s[2]);
    f2i_adaptive_max_pool1d_args args = F2I_INIT(f2i_adaptive_max_pool1d_args);
    args.x = x.view(), args.y = y.view();
    p.call(f2i_adaptive_max_pool1d, args);
    moves<T>(p, x, y, [&x, m = s[2]](int64_t i, int64_t j) {
      int64_t best = j * x.cols / m;
      for (int64_t c = best; c * m < (j + 1) * x.cols; ++c) best = x(i, c) > x(i, best) ? c : best;
      return std::pair(i, best);
    });
  }
}

template <class T> void make_rotary(OpProblem<T> &p) {
  const int64_t positions = p.shape[0], inside = p.shape[1], dim = p.shape[2];
  auto &x = p.input(positions * inside, dim), &cos = p.input(positions, dim / 2), &sin = p.input(positions, dim / 2);
  auto &y = p.output(x.rows, dim);
  f2i_rotary_args args = F2I_INIT(f2i_rotary_args);
  args.inside = inside, args.x = x.view(), args.cos = cos.view(), args.sin = sin.view(), args.y = y.view();
  p.call(f2i_rotary, args);
  p.compare_entries(y, 1, [&, inside](int64_t i, int64_t j, double &value, double &size) {
    if (j / 2 >= cos.cols) value = x(i, j);
    else value = x(i, j) * cos(i / inside, j / 2) + (j % 2 == 0 ? -1 : 1) * x(i, j ^ 1) * sin(i / inside, j / 2);
    size = j / 2 >= cos.cols ? 0 : std::abs(x(i, j) * cos(i / inside, j / 2)) + std::abs(x(i, j ^ 1) * sin(i / inside, j / 2));
  });
}

} // namespace

template <class T> void make_layer(OpProblem<T> &p, const std::string &op) {
  if (op == "linear") make_linear(p);
  else if (op == "attention") make_attention(p);
  else if (op == "layer_norm" || op == "group_norm") make_norms(p, op == "group_norm");
  else if (op == "conv2d") make_conv2d(p);
  else if (op == "resize2d") make_resize2d(p);
  else if (op == "random_normal") make_random_normal(p);
  else if (op == "rotary") make_rotary(p);
  else if (op == "activation") {
    f2i_activation_args args = F2I_INIT(f2i_activation_args);
    args.kind = F2I_GELU_ERF;
    on_rows(p, f2i_activation, args, p.shape[1],
            [](const auto &x, auto &y) { std::transform(x.begin(), x.end(), y.begin(), gelu); }, 4, 1e-30);
  } else if (op == "gated_activation") {
    if (p.shape[1] % 2 != 0) throw std::invalid_argument("gated_activation expects an even number of COLS");
    f2i_gated_activation_args args = F2I_INIT(f2i_gated_activation_args);
    args.kind = F2I_SILU;
    on_rows(p, f2i_gated_activation, args, p.shape[1] / 2,
            [](const auto &x, auto &y) {
              for (size_t j = 0; j < y.size(); ++j) y[j] = x[j] * silu(x[y.size() + j]);
            },
            4, 1e-30);
  } else if (op == "softmax") {
    on_rows(p, f2i_softmax, F2I_INIT(f2i_softmax_args), p.shape[1],
            [](const auto &x, auto &y) {
              double sum = 0;
              for (const double value : x) sum += std::exp(value);
              for (size_t j = 0; j < y.size(); ++j) y[j] = std::exp(x[j]) / sum;
            },
            p.extent(1), 1e-30);
  } else make_moves(p, op);
}

template void make_layer<float>(OpProblem<float> &, const std::string &);
template void make_layer<double>(OpProblem<double> &, const std::string &);

const std::vector<OpHelp> &layer_ops() {
  static const std::vector<OpHelp> list = {
      {"linear", "MxKxN", "3x15724x4096"},
      {"activation", "ROWSxCOLS", "4096x1280"},
      {"gated_activation", "ROWSxCOLS", "768x3328"},
      {"attention", "BxHxNxMxD", "1x8x1024x1024x64"},
      {"layer_norm", "ROWSxCOLS", "4096x1664"},
      {"group_norm", "BxCxPIXELSxG", "1x320x4096x32"},
      {"softmax", "ROWSxCOLS", "4096x1024"},
      {"conv2d", "BxCxHxWxOxK", "1x128x64x64x128x3"},
      {"concat", "ROWSxCOLSxCOLS", "1280x1024x640"},
      {"slice", "ROWSxCOLSxSTART", "4096x2048x7"},
      {"permute", "BxNxHxD", "1x4096x16x64"},
      {"rotary", "POSITIONSxINSIDExD", "513x32x52"},
      {"relative_position_bias", "HxPAIRS", "32x263682"},
      {"upsample_nearest", "PICTURESxHxWxF", "320x64x64x2"},
      {"resize2d", "PICTURESxHxWxHxW", "24x256x256x425x425"},
      {"adaptive_max_pool1d", "ROWSxCOLSxSIZE", "750x15724x8192"},
      {"random_normal", "ROWSxCOLS", "1024x4096"},
  };
  return list;
}

} // namespace bench
