// What a client says a request is about, for the record: a case, a patient, a project. Tags are encrypted with the
// record's head, and `record find --tag` searches them.
#pragma once

#include <string>
#include <vector>

#include "base/json.hpp"
#include "net/http.hpp"

namespace liftlock {

/// Of the header X-Liftlock-Tags ("case-7, ward-3"), of OpenAI's and Anthropic's `metadata` ("KEY:VALUE" of each text
/// in it), and of OpenAI's `user` ("end-user:VALUE"). Blanks around a tag and tags that were said before are left out.
/// @throws Error{bad_request} for more than 16 tags, one of more than 256 bytes, or one that is not UTF-8
std::vector<std::string> tags_of(const HttpRequest& request, const Json& document);

}  // namespace liftlock
