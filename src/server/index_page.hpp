// The page at "/": for people, without scripts and without anything from elsewhere.
#pragma once

#include <string>
#include <string_view>

#include "server/mirror_state.hpp"

namespace liftlock {

/// @param base_url without a trailing slash, as the reader reached us
std::string index_page(const MirrorState& state, std::string_view organisation, std::string_view base_url);

}  // namespace liftlock
