// The file name of a wheel: NAME-VERSION(-BUILD)?-PYTHON-ABI-PLATFORM.whl
// https://packaging.python.org/en/latest/specifications/binary-distribution-format/ (PEP 427, PEP 425)
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock {

struct WheelFilename {
  std::string name;                    ///< as written: "Foo_Bar"
  std::string version;                 ///< as written: "1.0+cu118"
  std::string build;                   ///< "1", "2abc"; empty when absent
  std::vector<std::string> pythons;    ///< {"py2", "py3"}
  std::vector<std::string> abis;       ///< {"none"}
  std::vector<std::string> platforms;  ///< {"any"}

  /// At most 255 bytes; a name of letters, digits, '_' and '.'; a PEP 440 version; tags of letters, digits and '_'.
  static std::optional<WheelFilename> parse(std::string_view filename);
  /// Every combination: "py2-none-any", "py3-none-any".
  std::set<std::string> tags() const;
};

/// NAME-VERSION.tar.gz (PEP 625); older names may have '-' within NAME: the version begins at the last '-'.
struct SdistFilename {
  std::string name;
  std::string version;
  static std::optional<SdistFilename> parse(std::string_view filename);
};

}  // namespace liftlock
