#include "table.hpp"

#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <stdexcept>

#include "json.hpp"

namespace replay {
namespace {

std::string number(double value, int digits) {
  if (std::isnan(value)) return "";
  char text[40];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string brief(double value) {
  if (std::isnan(value)) return "";
  char text[40];
  std::snprintf(text, sizeof text, "%.1e", value);
  return text;
}

std::string shape_of(const Json &shape) {
  std::string text;
  if (const Json::Object *extents = shape.as<Json::Object>()) {
    for (const auto &[name, extent] : *extents) {
      const std::string value = extent.as<std::string>() != nullptr ? extent.string() : extent.text();
      text += (text.empty() ? "" : " ") + name + "=" + value;
    }
  }
  return text;
}

/// What makes rows comparable: the same work at the same precision.
std::string work_of(const Json &row) { return row["op"].string() + " " + shape_of(row["shape"]); }

/// Throws where a field is missing or of another kind than a row has.
Json checked(const std::string &line, const std::string &where) {
  Json row;
  try {
    row = Json::parse(line);
  } catch (const std::invalid_argument &error) {
    throw std::invalid_argument(where + ": " + error.what());
  }
  const auto need = [&](const char *field, bool right, const char *expected) {
    if (!right) throw std::invalid_argument(where + ": expected " + field + " to be " + expected + ", found " + row[field].text());
  };
  for (const char *field : {"op", "dtype", "impl", "device", "commit", "date"})
    need(field, row[field].as<std::string>() != nullptr && !row[field].string().empty(), "a text");
  need("shape", row["shape"].as<Json::Object>() != nullptr, "an object");
  for (const char *field : {"cold", "warm"}) {
    need(field, row[field].as<Json::Object>() != nullptr, "an object");
    need(field, row[field]["p50"].number() > 0, "a timing whose p50 is above 0");
  }
  need("passed", row["passed"].is_null() || row["passed"].as<bool>() != nullptr, "true or false");
  if (row["impl"].string() == "ours" && row["passed"].as<bool>() != nullptr)
    need("errorOverTolerance", !std::isnan(row["errorOverTolerance"].number()) || !*row["passed"].as<bool>(), "a number");
  return row;
}

bool failed(const Json &row) {
  const bool *passed = row["passed"].as<bool>();
  return passed != nullptr && !*passed;
}

std::string line_of(const Json &row, const Json *fastest) {
  const bool wrong = failed(row);
  const auto cell = [wrong](double value, int digits) { return wrong ? "" : number(value, digits); };
  const std::string precision = row["precision"].string();
  const std::string type = precision.empty() || precision == row["dtype"].string() ? row["dtype"].string() : row["dtype"].string() + " as " + precision;
  std::string ratio;
  if (fastest != nullptr && row["impl"].string() == "ours" && !wrong)
    ratio = number((*fastest)["cold"]["p50"].number() / row["cold"]["p50"].number(), 2) + " (" + (*fastest)["impl"].string() + ")";
  const std::string cells[] = {row["op"].string(),
                               shape_of(row["shape"]),
                               type,
                               row["impl"].string(),
                               wrong ? "wrong result" : number(row["cold"]["p50"].number() * 1e3, 3),
                               cell(row["warm"]["p50"].number() * 1e3, 3),
                               number(row["cold"]["noisePercent"].number(), 0),
                               cell(row["gflops"].number(), 0),
                               cell(row["gbs"].number(), 0),
                               cell(row["rooflinePercent"].number(), 0),
                               ratio,
                               brief(row["error"].number()),
                               number(row["errorOverTolerance"].number(), 3)};
  std::string line = "|";
  for (const std::string &each : cells) line += " " + each + " |";
  return line + "\n";
}

/// The goals of the project on one H200, in words, and how a row shows them.
struct Goal {
  const char *text, *op, *shape, *precision;
};
constexpr Goal goals[] = {
    {"bf16 GEMM, 8192^3: at least 85 % of cuBLAS and 650 TFLOP/s", "gemm", "m=8192 n=8192 k=8192", "bf16"},
    {"f32 GEMM by 3xTF32, 8192^3: at least twice cuBLAS f32", "gemm", "m=8192 n=8192 k=8192", "f32"},
    {"attention, head dimension 64: at least 45 % of the bf16 peak", "attention", "b=4 h=16 n=4096 m=4096 d=64", "bf16"},
    {"attention, head dimension 128: at least 60 % of the bf16 peak", "attention", "b=4 h=16 n=4096 m=4096 d=128", "bf16"},
    {"attention, head dimension 52 with bias: ahead of PyTorch, padded to 56, too", "attention", "b=8 h=32 n=513 m=513 d=52 bias=true", "bf16"},
    {"bound by memory: at least 85 % of the bandwidth of a copy", "elementwise", "n=16000 v=16384", "f32"},
    {"Brain-Diffuser's vision ridge, 8859 x 15724 to 197,376, from host memory: at most 3 s", "ridge_streamed", "n=8859 v=15724 t=197376", "f32"},
    {"one sample of MindEye2's prior, 19 evaluations, bf16: at most 25 ms", "prior_sample", "evaluations=19", "bf16"},
    {"voxels to tokens: at most 1.3 ms", "voxels_to_tokens", "voxels=15724", "bf16"},
};

std::string goals_of(const std::vector<Json> &rows) {
  std::string text = "| goal, on one H200 | measured | beside |\n|---|---|---|\n";
  for (const Goal &goal : goals) {
    std::string measured, beside;
    for (const Json &row : rows) {
      if (row["op"].string() != goal.op || shape_of(row["shape"]) != goal.shape || row["backend"].string() != "cuda") continue;
      const std::string precision = row["precision"].string().empty() ? row["dtype"].string() : row["precision"].string();
      if (failed(row)) continue;
      const std::string figure = number(row["cold"]["p50"].number() * 1e3, 3) + " ms, " + number(row["gflops"].number() / 1e3, 0) +
                                 " TFLOP/s, " + number(row["gbs"].number(), 0) + " GB/s, " +
                                 number(row["rooflinePercent"].number(), 0) + " % of the roofline";
      if (row["impl"].string() == "ours") {
        if (precision == goal.precision) measured += (measured.empty() ? "" : "; ") + figure + " (" + row["dtype"].string() + ", " + row["device"].string() + ")";
      } else {
        beside += (beside.empty() ? "" : "; ") + row["impl"].string() + " " + precision + " " + number(row["cold"]["p50"].number() * 1e3, 3) + " ms";
      }
    }
    text += std::string("| ") + goal.text + " | " + (measured.empty() ? "not yet measured" : measured) + " | " + beside + " |\n";
  }
  return text;
}

} // namespace

std::string table(const std::vector<std::string> &files) {
  std::vector<Json> rows;
  std::vector<std::string> devices;
  for (const std::string &file : files) {
    std::ifstream in(file);
    if (!in) throw std::invalid_argument("cannot read " + file);
    std::string line;
    for (int at = 1; std::getline(in, line); ++at) {
      if (line.empty()) continue;
      rows.push_back(checked(line, file + ":" + std::to_string(at)));
      const std::string device = rows.back()["device"].string();
      bool known = false;
      for (const std::string &each : devices) known = known || each == device;
      if (!known) devices.push_back(device);
    }
  }
  std::string text = "## Goals\n\n" + goals_of(rows);
  for (const std::string &device : devices) {
    std::map<std::string, const Json *> fastest; // of the peers, by the work and the type
    for (const Json &row : rows) {
      if (row["device"].string() != device || row["impl"].string() == "ours") continue;
      const std::string precision = row["precision"].string().empty() ? row["dtype"].string() : row["precision"].string();
      const Json *&best = fastest[work_of(row) + " " + precision];
      if (best == nullptr || row["cold"]["p50"].number() < (*best)["cold"]["p50"].number()) best = &row;
    }
    std::set<std::string> machines; // as its rows name them: a driver may have been updated between them
    for (const Json &row : rows)
      if (row["device"].string() == device && !row["machine"].string().empty()) machines.insert(row["machine"].string());
    text += "\n## " + device + "\n\n";
    for (const std::string &machine : machines) text += machine + "\n\n";
    text += "| op | shape | type | implementation | cold p50 ms | warm p50 ms | noise % | GFLOP/s | GB/s | "
            "roofline % | ratio to fastest peer | error | error / tolerance |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";
    for (const Json &row : rows) {
      if (row["device"].string() != device) continue;
      const std::string precision = row["precision"].string().empty() ? row["dtype"].string() : row["precision"].string();
      const auto peer = fastest.find(work_of(row) + " " + precision);
      text += line_of(row, peer == fastest.end() ? nullptr : peer->second);
    }
  }
  return text + "\ncold: operands rotate through more memory than caches hold; warm: the same again and again; both from rows of calls with "
                "one wait, so that of a GPU's many\nsmall calls the rate counts. roofline: share of what the peak of the type and the bandwidth "
                "of a copy, both measured in the run, allow. ratio: the fastest\npeer's cold median over ours, above 1 we are faster. error: "
                "largest difference from the same calls in float64 over the largest entry; at most 1 of the tolerance is right.\n";
}

} // namespace replay
