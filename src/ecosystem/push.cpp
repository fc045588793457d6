#include "ecosystem/push.hpp"

namespace liftlock {

std::string PushSettings::text(std::string_view key) const {
  const auto found = of_its_kind.find(std::string(key));
  return found == of_its_kind.end() ? std::string() : found->second;
}

void FilesPlan::add(const ArtifactFile& file, HttpRepository::Found found, std::string where) {
  switch (found) {
    case HttpRepository::Found::same:
      ++known;
      return;
    case HttpRepository::Found::other:
      other.push_back(std::move(where));
      return;
    case HttpRepository::Found::nothing:
      ++lacking;
      bytes += file.size;
      m_files.push_back(file);
  }
}

void FilesPlan::send(const PushProgress& progress) {
  for (const auto& file : m_files) m_send(file, progress);
}

}  // namespace liftlock
