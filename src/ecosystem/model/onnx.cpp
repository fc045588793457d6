#include "ecosystem/model/onnx.hpp"

#include <array>
#include <optional>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/rel_path.hpp"
#include "ecosystem/model/protobuf.hpp"

namespace liftlock {
namespace {

enum class Message : std::uint8_t {
  none,
  model,
  graph,
  node,
  attribute,
  tensor,
  sparse,
  entry,
  function,
  training,
  opset
};

struct Step {
  Message in;
  std::uint32_t field;
  Message to;
};

// onnx.proto: which fields of which message hold messages that may lead to a tensor.
constexpr std::array k_steps = {
    Step{Message::model, 7, Message::graph},       Step{Message::model, 8, Message::opset},
    Step{Message::model, 20, Message::training},   Step{Message::model, 25, Message::function},
    Step{Message::graph, 1, Message::node},        Step{Message::graph, 5, Message::tensor},
    Step{Message::graph, 15, Message::sparse},     Step{Message::node, 5, Message::attribute},
    Step{Message::attribute, 5, Message::tensor},  Step{Message::attribute, 6, Message::graph},
    Step{Message::attribute, 10, Message::tensor}, Step{Message::attribute, 11, Message::graph},
    Step{Message::attribute, 22, Message::sparse}, Step{Message::attribute, 23, Message::sparse},
    Step{Message::sparse, 1, Message::tensor},     Step{Message::sparse, 2, Message::tensor},
    Step{Message::function, 7, Message::node},     Step{Message::function, 11, Message::attribute},
    Step{Message::training, 1, Message::graph},    Step{Message::training, 2, Message::graph},
    Step{Message::tensor, 13, Message::entry},
};

constexpr int k_max_depth = 64;
constexpr std::size_t k_max_names = 100'000;

Message step(Message in, std::uint32_t field) {
  for (const auto& candidate : k_steps) {
    if (candidate.in == in && candidate.field == field) return candidate.to;
  }
  return Message::none;
}

class Walker {
 public:
  explicit Walker(ForwardReader& in) : m_in(in) {}

  void walk(Message message, std::uint64_t end, int depth) {
    if (depth > k_max_depth) fail(ErrorCode::model_malformed, "ONNX: graphs nested deeper than {}", k_max_depth);
    Entry entry;
    walk_message(m_in, end, [&](const ProtoField& field) {
      if (field.wire != 2) {
        if (message == Message::model && field.number == 1 && field.wire == 0) {
          m_model.ir_version = static_cast<std::int64_t>(field.value);
        }
        return;
      }
      const auto to = step(message, field.number);
      if (to != Message::none) return walk(to, m_in.offset() + field.value, depth + 1);
      text_field(message, field, entry);
    });
    if (message == Message::entry) external(entry);
    if (message == Message::graph) m_graph = true;
  }

  OnnxModel result() {
    if (!m_graph || m_model.ir_version <= 0)
      fail(ErrorCode::model_malformed, "ONNX: there is no graph, or no IR version");
    m_model.external.assign(m_external.begin(), m_external.end());
    m_model.domains.assign(m_domains.begin(), m_domains.end());
    return std::move(m_model);
  }

 private:
  struct Entry {
    std::string key;
    std::vector<std::string> values;
  };

  void text_field(Message message, const ProtoField& field, Entry& entry) {
    const auto take = [&](std::uint64_t most) {
      if (field.value > most) fail(ErrorCode::model_malformed, "ONNX: a name of {} bytes", field.value);
      return m_in.text(field.value);
    };
    if (message == Message::entry && field.number == 1) entry.key = take(4096);
    if (message == Message::entry && field.number == 2) entry.values.push_back(take(4096));
    if (message == Message::model && field.number == 2) m_model.producer = printable(take(65'536).substr(0, 100));
    const bool domain =
        (message == Message::opset && field.number == 1) || (message == Message::node && field.number == 7);
    if (domain && m_domains.size() < k_max_names) {
      const auto name = take(4096);
      if (!name.empty() && !name.starts_with("ai.onnx")) m_domains.insert(printable(name));
    }
  }

  void external(const Entry& entry) {
    if (entry.key != "location") return;
    for (const auto& value : entry.values) {
      if (const auto why = why_not_rel_path(value); !why.empty()) {
        fail(ErrorCode::model_malformed, "ONNX: external data at '{}': {}", printable(value.substr(0, 200)), why);
      }
      if (m_external.size() == k_max_names)
        fail(ErrorCode::model_malformed, "ONNX: more than {} files of external data", k_max_names);
      m_external.insert(value);
    }
  }

  ForwardReader& m_in;
  OnnxModel m_model;
  std::set<std::string> m_external;
  std::set<std::string> m_domains;
  bool m_graph = false;
};

}  // namespace

OnnxModel read_onnx(const ByteSource& file) {
  ForwardReader in(file, 0, file.size());
  Walker walker(in);
  walker.walk(Message::model, file.size(), 0);
  return walker.result();
}

void check_sentencepiece(const ByteSource& file) {
  ForwardReader in(file, 0, file.size());
  std::uint64_t pieces = 0;
  walk_message(in, file.size(), [&](const ProtoField& field) {
    if (field.number != 1) return;
    if (field.wire != 2) fail(ErrorCode::model_malformed, "SentencePiece: a piece is no message");
    ++pieces;
    walk_message(in, in.offset() + field.value, [](const ProtoField&) {});
  });
  if (pieces == 0) fail(ErrorCode::model_malformed, "SentencePiece: there are no pieces");
}

}  // namespace liftlock
