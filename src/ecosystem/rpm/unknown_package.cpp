#include "ecosystem/rpm/unknown_package.hpp"

#include <set>

#include "base/encoding.hpp"
#include "base/text.hpp"

namespace liftlock::rpm {
namespace {

constexpr std::size_t k_most_shown = 5;

/// NAME itself, NAME-VERSION… or NAME.ARCH: the package `name` in a form that no repository has.
bool is_of(std::string_view wanted, std::string_view name) {
  if (!wanted.starts_with(name)) return false;
  const auto rest = wanted.substr(name.size());
  if (rest.empty()) return true;
  return rest.size() > 1 && (rest[0] == '.' || (rest[0] == '-' && rest[1] >= '0' && rest[1] <= '9'));
}

std::set<std::string> other_forms(std::string_view wanted, const std::vector<SearchedRepository>& repositories) {
  std::set<std::string> out;
  for (const auto& repository : repositories) {
    for (const auto& [location, package] : *repository.packages) {
      if (is_of(wanted, package.name))
        out.insert(fmt::format("{}-{}.{}", package.name, package.evr, package.architecture));
    }
  }
  return out;
}

std::set<std::string> near_names(std::string_view wanted, const std::vector<SearchedRepository>& repositories) {
  std::set<std::string_view> names;
  for (const auto& repository : repositories) {
    for (const auto& [location, package] : *repository.packages) names.insert(package.name);
  }
  std::set<std::string> out;
  if (const auto best = nearest(wanted, std::vector(names.begin(), names.end()))) out.insert(*best);
  for (const auto name : names) {
    if (out.size() >= k_most_shown) break;
    if (name.find(wanted) != std::string_view::npos) out.emplace(name);
  }
  return out;
}

std::string listed(const std::set<std::string>& words) {
  std::string out;
  std::size_t count = 0;
  for (const auto& word : words) {
    if (count == k_most_shown) return out + fmt::format(" and {} more", words.size() - count);
    out += (count++ == 0 ? "" : ", ") + printable(word);
  }
  return out;
}

}  // namespace

Error unknown_package(std::string_view wanted, std::string_view architecture,
                      const std::vector<SearchedRepository>& repositories) {
  std::string urls;
  for (const auto& repository : repositories)
    urls += fmt::format("{}{} ({} packages)", urls.empty() ? "" : ", ", repository.url, repository.packages->size());
  auto message =
      fmt::format("there is no package '{}' for {} or noarch; looked in {}", printable(wanted), architecture, urls);
  if (const auto others = other_forms(wanted, repositories); !others.empty())
    return {ErrorCode::unresolvable, std::move(message), fmt::format("there is {}", listed(others))};
  const auto near = near_names(wanted, repositories);
  return {ErrorCode::unresolvable, std::move(message),
          (near.empty() ? std::string() : fmt::format("did you mean {}? Else ", listed(near))) +
              "name the repository that has it in `with`"};
}

}  // namespace liftlock::rpm
