#include "gateway/images.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "gateway/chat_fields.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_prompt = 32u << 10;
constexpr std::uint64_t k_max_side = 4096;

/// sd-server takes what stands in such a tag out of the prompt and obeys it: files to load, steps without end.
constexpr std::string_view k_native_options = "sd_cpp_extra_args";

void require_size(std::string_view size) {
  if (size == "auto") return;
  const auto cross = size.find('x');
  const auto width = parse_uint(size.substr(0, cross));
  const auto height = cross == std::string_view::npos ? std::nullopt : parse_uint(size.substr(cross + 1));
  const auto fits = [](const std::optional<std::uint64_t>& side) { return side && *side >= 16 && *side <= k_max_side; };
  if (!fits(width) || !fits(height)) {
    refuse_field("size", fmt::format("must be \"auto\", or WIDTHxHEIGHT of 16 to {} each", k_max_side));
  }
}

}  // namespace

EngineRequest narrow_images_request(const Json& body) {
  FieldReader fields(body, "");
  EngineRequest request;
  request.path = "/v1/images/generations";
  request.model = fields.need_text("model", k_max_name);
  auto& out = fields.out();
  out["model"] = request.model;
  const auto prompt = fields.need_text("prompt", k_max_prompt);
  if (to_lower(prompt).find(k_native_options) != std::string::npos) {
    refuse_field("prompt", fmt::format("must not hold {}", k_native_options));
  }
  out["prompt"] = prompt;
  fields.pass_integer("n", 1, 10);
  if (const auto size = fields.text("size", k_max_name); !size.empty()) {
    require_size(size);
    if (size != "auto") out["size"] = size;
  }
  const auto format = fields.text("response_format", k_max_name);
  if (!format.empty() && format != "b64_json") refuse_field("response_format", "must be b64_json");
  out["response_format"] = "b64_json";
  if (const auto type = fields.text("output_format", k_max_name); !type.empty()) {
    if (type != "png" && type != "jpeg" && type != "webp") refuse_field("output_format", "must be png, jpeg or webp");
    out["output_format"] = type;
  }
  fields.pass_integer("output_compression", 0, 100);
  if (fields.boolean("stream", false)) refuse_field("stream", "must be false");
  fields.ignore({"user", "quality", "style", "background", "moderation"});
  request.body = fields.finish();
  return request;
}

}  // namespace liftlock
