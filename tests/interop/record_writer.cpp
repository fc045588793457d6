// Writes one record as the gateway does, without a model: what the test of the record's commands reads.
//   record_writer STATE USER PROMPT ANSWER [ENDPOINT [RECORDING]]    prints the id; PROMPT is what the request said, as
//   JSON or not;
//                                                                  RECORDING is a file
#include <cstdio>
#include <future>
#include <nlohmann/json.hpp>

#include "record/record_book.hpp"

int main(int argc, char** argv) {
  using namespace liftlock;
  if (argc < 5 || argc > 7) return 2;
  try {
    const fs::path state = argv[1];
    AuditLog log(state / "audit", "");
    RecordBook book({.folder = state / "records", .kek_file = state / "keys" / "record.kek"}, log);
    const RecordHead head{.id = new_record_id(),
                          .time = {},
                          .user = argv[2],
                          .key_id = "k1",
                          .peer = "127.0.0.1",
                          .endpoint = argc > 5 ? argv[5] : "/v1/chat/completions",
                          .model = "demo",
                          .model_digest = "sha256:00",
                          .engine = "stand-in@1",
                          .tags = {"case-7"}};
    std::promise<std::optional<Error>> promise;
    const auto recording = argc > 6 ? read_file(argv[6], 1u << 30) : std::string();
    book.write(book.seal(head, argv[3], {}, recording), argv[4], {{"outcome", "complete"}},
               [&](std::optional<Error> error) { promise.set_value(std::move(error)); });
    if (const auto error = promise.get_future().get()) throw *error;
    std::puts(head.id.c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "record_writer: %s\n", error.what());
    return 1;
  }
}
