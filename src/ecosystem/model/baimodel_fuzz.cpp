// Arbitrary bytes as the manifest of a .baimodel package: nothing but Error may come out, and what was read is written
// so that it reads the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.hpp"
#include "ecosystem/model/baimodel.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto manifest = parse_baimodel_manifest(text);
    if (parse_baimodel_manifest(encode_baimodel_manifest(manifest)).checksums != manifest.checksums) std::abort();
  } catch (const Error&) {
  }
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    names.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  try {
    (void)judge_baimodel_entries(names);
  } catch (const Error&) {
  }
  return 0;
}
