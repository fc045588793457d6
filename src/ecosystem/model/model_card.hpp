// The front matter of a model card or dataset card, README.md: YAML between two lines "---".
// Source: https://huggingface.co/docs/hub/model-cards (metadata); huggingface_hub's ModelCardData names the members.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/json.hpp"

namespace liftlock {

/// The front matter stands in the first bytes of the file.
inline constexpr std::size_t k_max_model_card = 256u << 10;

/// Of what it says, as far as a bill of materials tells it: the strings `license`, `license_name`, `license_link`,
/// `pipeline_tag`, `library_name`, and the lists of strings `datasets`, `base_model`, `language` (a single string
/// becomes a list of one). At most 50 strings of 300 bytes each, made printable. An empty object where there is no
/// front matter. @throws Error{package_malformed, json_duplicate_key, limit_exceeded} where it is no YAML that is read
Json read_model_card(std::string_view text);

}  // namespace liftlock
