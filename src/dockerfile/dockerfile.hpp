// The syntax of a Dockerfile, as BuildKit's parser reads it: parser directives, continued lines, comments between them,
// here-documents, flags, the JSON form. Variables are not expanded. Source: Dockerfile reference (docs.docker.com),
// "Parser directives", "Escape", "Here-Documents".
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace liftlock::dockerfile {

inline constexpr std::size_t k_max_bytes = 1u << 20;
inline constexpr std::size_t k_max_instructions = 10'000;

struct HereDocument {
  std::string name;  ///< the word that ends it
  std::string body;
};

struct Instruction {
  std::size_t line = 0;                                    ///< where it begins; from 1
  std::string name;                                        ///< upper case: "RUN"
  std::vector<std::pair<std::string, std::string>> flags;  ///< "--mount=type=cache" is {"mount", "type=cache"}
  std::string arguments;                                   ///< the rest, continued lines joined, without comments
  std::vector<HereDocument> documents;

  /// The shell text of a RUN: the arguments, then the here-documents.
  std::string shell_text() const;
};

struct Dockerfile {
  std::optional<std::string> syntax;  ///< of `# syntax=`
  char escape = '\\';
  std::vector<Instruction> instructions;
};

/// @throws Error{usage} with the line, for what BuildKit would not read either; Error{limit_exceeded}
Dockerfile parse_dockerfile(std::string_view text);

/// `key=value,key=value` of --mount; a key alone has an empty value. The first of a key counts.
class Mount {
 public:
  explicit Mount(std::string_view text);
  /// Empty where it is not given. "target" also finds its other names, dst and destination.
  std::string_view value(std::string_view key) const;

 private:
  std::vector<std::pair<std::string, std::string>> m_values;
};

}  // namespace liftlock::dockerfile
