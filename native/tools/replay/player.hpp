// Runs the cases of a script on a context and holds results against what they expect.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "residual.hpp"
#include "script.hpp"

namespace replay {

/// The library refused or failed where the script did not expect it.
struct Failed : std::runtime_error {
  f2i_status status;
  Failed(f2i_status s, const std::string &text) : std::runtime_error(text), status(s) {}
};

/// Throws Failed with the library's text.
void ok(f2i_status status);

class Player {
public:
  /// launches: of the graphs that calls are recorded into, whose results must be those of the calls; 0: no graphs.
  Player(f2i_context *context, const Script &script, int launches = 0)
      : context_(context), script_(script), launches_(launches) {}
  ~Player() { clear(); }
  Player(const Player &) = delete;
  Player &operator=(const Player &) = delete;

  /// Runs a case from its first to its last step. Throws Failed or ScriptError; nothing of it stays.
  Verdict play(const Case &each);

private:
  void step(const Create &create);
  void step(const Free &free);
  void step(const Write &write);
  void step(const Draw &draw);
  void step(const Call &call);
  void step(const Kept &kept);
  void step(const Fails &fails);
  void step(const Entries &entries);
  void step(const Residual &residual);
  void step(const Timed &) {}        // the bench looks at these
  void step(const Result &) {}

  /// Calls and what comes and goes between them are one graph; whatever else is next needs what it has made.
  void record(const Step &next);
  void launch();

  f2i_buffer *find(uint64_t buffer) const;
  std::vector<char> read(uint64_t buffer, uint64_t offset, uint64_t bytes) const;
  void take(const Verdict &verdict);
  void clear();

  f2i_context *const context_;
  const Script &script_;
  const int launches_;
  bool recording_ = false;
  std::map<uint64_t, f2i_buffer *> buffers_;
  std::map<uint64_t, Bytes> written_;
  Verdict verdict_;
};

} // namespace replay
