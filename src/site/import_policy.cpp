#include "site/import_policy.hpp"

#include "base/toml_document.hpp"

namespace liftlock {

bool allows_unsigned_imports(const Site& site) {
  const auto document = parse_toml(site.config_text(), ErrorCode::config_invalid, "config.toml ");
  return document["policy"]["unsigned_imports"].value_or(false);
}

}  // namespace liftlock
