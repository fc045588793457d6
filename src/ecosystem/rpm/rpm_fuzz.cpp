// Arbitrary bytes as an .rpm: findings, and nothing else, may come out; and what it says for the lists, the mirror
// takes.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "ecosystem/rpm/indexed_package.hpp"
#include "ecosystem/rpm/inspector.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const UniqueFd fd(::memfd_create("rpm", MFD_CLOEXEC));
  write_all(fd.get(), std::span(data, size), "memfd");
  Artifact artifact{.kind = "rpm", .name = "x", .version = "1-1"};
  artifact.files.push_back({.path = RelPath::parse("packages/rpm/x-1-1.noarch.rpm"),
                            .size = size,
                            .digest = Digest::parse_sha256_hex(std::string(64, '0')),
                            .origin = {},
                            .evidence = {}});
  const int files[] = {fd.get()};
  const auto said = rpm::RpmInspector().inspect(artifact, files);
  const auto lists = said.facts.find(rpm::k_fact_lists);
  if (lists != said.facts.end() && !rpm::indexed_package_from_facts(*lists)) std::abort();
  return 0;
}
