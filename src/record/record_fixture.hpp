// What the tests of this room share.
#pragma once

#include <functional>
#include <future>
#include <optional>
#include <string>
#include <utility>

#include "record/record_book.hpp"

namespace liftlock {

inline RecordHead test_head(std::string id = {}) {
  return {.id = std::move(id),
          .time = {},
          .user = "ada",
          .key_id = "k1",
          .peer = "127.0.0.1",
          .endpoint = "/",
          .model = "demo",
          .model_digest = "sha256:00",
          .engine = "e",
          .tags = {}};
}

/// Waits for what the book says of it.
inline std::optional<Error> outcome_of(const std::function<void(RecordDone)>& begin) {
  std::promise<std::optional<Error>> promise;
  begin([&](auto error) { promise.set_value(std::move(error)); });
  return promise.get_future().get();
}

}  // namespace liftlock
