// POST /v1/images/generations: what may be asked of an endpoint that makes images.
#pragma once

#include "gateway/openai_request.hpp"

namespace liftlock {

/// Images are answered as base64: a link would lead to the endpoint's machine.
/// @throws Error{bad_request} naming the field
EngineRequest narrow_images_request(const Json& request);

}  // namespace liftlock
