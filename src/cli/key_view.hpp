// What the key commands show.
#pragma once

#include <string>
#include <vector>

#include "access/key_document.hpp"
#include "site/site.hpp"

namespace liftlock {

fs::path access_file(const Site& site);

std::string key_table(const std::vector<ApiKey>& keys, const std::vector<UnreadableKey>& unreadable);

}  // namespace liftlock
