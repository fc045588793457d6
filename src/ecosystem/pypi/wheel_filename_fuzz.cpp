// File names, versions, specifiers and requirements: what is accepted must survive being written and read again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/encoding.hpp"
#include "ecosystem/pypi/project_name.hpp"
#include "ecosystem/pypi/requirement.hpp"
#include "ecosystem/pypi/version.hpp"
#include "ecosystem/pypi/wheel_filename.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const auto text = as_text({data, size});
  if (const auto name = WheelFilename::parse(text); name && (name->tags().empty() || text.find('/') != text.npos))
    std::abort();
  if (const auto name = SdistFilename::parse(text); name && text.find('/') != text.npos) std::abort();
  if (const auto version = PyVersion::parse(text)) {
    const auto again = PyVersion::parse(version->text());
    if (!again || *again != *version || again->text() != version->text()) std::abort();
  }
  if (const auto requirement = Requirement::parse(text)) {
    requirement->applies({{"python_version", "3.11"}, {"sys_platform", "linux"}}, {"test"});
    if (!is_project_name(requirement->name)) std::abort();
  }
  if (const auto once = normalize_project_name(text); normalize_project_name(once) != once) std::abort();
  return 0;
}
