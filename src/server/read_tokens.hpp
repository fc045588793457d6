// Who may read: the tokens file of [serve]. One line per token: NAME, a space, the SHA-256 of the token in lower-case
// hex; '#' begins a comment line. The tokens themselves are nowhere: make one with `openssl rand -hex 32`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "os/file.hpp"

namespace liftlock {

class ReadTokens {
 public:
  /// @throws Error{tokens_invalid} for a malformed line, a name twice, or no token at all; Error{not_found}
  static ReadTokens load(const fs::path& file);

  /// The name of the token in the value of an Authorization header: "Bearer TOKEN", or "Basic" with the token as the
  /// password and any user name. nullopt when there is none that fits. Takes the same time for every wrong token.
  std::optional<std::string_view> user(std::string_view authorization) const;

 private:
  struct Entry {
    std::string name;
    Digest digest;
  };
  std::vector<Entry> m_entries;
};

}  // namespace liftlock
