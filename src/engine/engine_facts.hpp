// What was learnt of an engine when it was installed: installed.json beside its engine.json.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"

namespace liftlock::engine {

using Flags = std::set<std::string, std::less<>>;

/// The engine that one without a C library stands on (engine/base.hpp).
struct EngineBase {
  std::string engine;   ///< "llama.cpp/8941-cpu"
  std::string package;  ///< "sha256:…" of what that one was unpacked of; empty when it was not known
  bool operator==(const EngineBase&) const = default;
};

struct EngineFacts {
  std::string origin;   ///< "engine:llama.cpp@8941" of the store, or the path of a file
  std::string package;  ///< "sha256:…" of what was unpacked
  Timestamp installed{};
  std::string says;                    ///< what it answers to --version, one line; empty when nothing
  std::map<std::string, Flags> flags;  ///< by executable: the options that its --help names
  std::string believed_by = {};  ///< "bundle", or as of an import: "signature", "digest", "nobody"; empty: before that
  std::vector<std::string> keys = {};   ///< ids of those that signed a file
  std::string reason = {};              ///< why one that nobody vouches for was taken
  std::optional<EngineBase> base = {};  ///< where its C library comes from, when it brought none
  std::vector<std::string> notes = {};  ///< what of it will not load here
};

std::string encode_facts(const EngineFacts& facts);
/// @throws Error{json_invalid, schema_violation}
EngineFacts parse_facts(std::string_view text);

/// The options that a --help text names, such as "--model" and "-m": the words with a dash at the head of its lines.
Flags flags_of_help(std::string_view help);

/// One thing that we say to an engine, in the spellings of its versions, best first.
struct FlagNeed {
  std::string_view purpose;
  std::vector<std::string_view> spellings;
  enum class Kind : std::uint8_t {
    needed,    ///< an engine that lacks it is not installed
    for_some,  ///< some models need it
    if_known,
  } kind = Kind::needed;
};
/// The spelling that this engine knows; empty when it knows none. An engine whose flags nobody asked for is taken to
/// know the first spelling of what is needed, by some models or all, and nothing else.
std::string_view spelling(const FlagNeed& need, const Flags* known);

/// What llama-server and whisper-cli are told. Empty for other programs.
const std::vector<FlagNeed>& flag_needs(std::string_view executable);
/// The purposes that are needed and that no flag of it serves.
std::vector<std::string> missing_flags(std::string_view executable, const Flags& known);

}  // namespace liftlock::engine
