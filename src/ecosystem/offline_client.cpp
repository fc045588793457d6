#include "ecosystem/offline_client.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/without_network.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_last_words = 1500;

}  // namespace

std::string in_one_line(std::string_view text, const ClientNoise& noise) {
  std::string out;
  for (auto line : split(text, '\n')) {
    line = trim(line);
    for (const auto prefix : noise.prefixes) {
      if (line.starts_with(prefix)) line = trim(line.substr(prefix.size()));
    }
    if (!noise.end.empty() && line == noise.end) break;
    const bool says_nothing = std::any_of(noise.lines.begin(), noise.lines.end(),
                                          [&](const auto beginning) { return line.starts_with(beginning); });
    if (!line.empty() && !says_nothing) out += (out.empty() ? "" : "; ") + printable(line);
  }
  if (out.size() > k_last_words) {
    auto begin = out.size() - k_last_words;
    while (begin < out.size() && (out[begin] & 0xc0) == 0x80) ++begin;  // not in the middle of a character
    out = "… " + out.substr(begin);
  }
  return out;
}

ClientAnswer run_offline(ProcessSpec spec, const ClientNoise& noise) {
  const auto program = spec.argv.at(0);
  spec.argv = without_network(std::move(spec.argv), spec.working_folder);
  const auto result = run_process(spec);
  ClientAnswer out{
      .done = result.status == 0, .output = result.output, .words = in_one_line(result.error_output, noise)};
  if (!out.done && out.words.empty()) out.words = in_one_line(result.output, noise);
  if (!out.done && out.words.empty()) out.words = fmt::format("{} ended with {}", program, result.status);
  return out;
}

ScratchFolder::ScratchFolder(const fs::path& scratch, std::string_view name) : m_path(fs::absolute(scratch / name)) {
  make_folders(scratch);
  if (!fs::create_directory(m_path)) {
    // It is another's, and no object of ours removes it: the constructor has not ended.
    fail(ErrorCode::io_error, "'{}' is there already", printable(m_path.string()));
  }
}

ScratchFolder::~ScratchFolder() {
  try {
    std::error_code ignored;
    for (auto at = fs::recursive_directory_iterator(m_path, ignored); at != fs::recursive_directory_iterator();
         at.increment(ignored)) {
      if (at->is_directory(ignored) && !at->is_symlink(ignored))
        fs::permissions(at->path(), fs::perms::owner_all, fs::perm_options::add, ignored);
    }
    remove_tree(m_path);
  } catch (const std::exception&) {
    // The caller removes the whole of the scratch folder.
  }
}

void link_files(const CollectContext& context, const std::vector<Artifact>& artifacts, std::string_view prefix,
                const fs::path& folder) {
  for (const auto& artifact : artifacts) {
    for (const auto& file : artifact.files) {
      const std::string_view path = file.path.text();
      if (!path.starts_with(prefix)) continue;
      const auto at = folder / path.substr(prefix.size());
      fs::create_directories(at.parent_path());
      fs::create_symlink(fs::absolute(context.store.path(file.digest)), at);
    }
  }
}

}  // namespace liftlock
