#include "ecosystem/model/content.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/text.hpp"
#include "ecosystem/model/gguf.hpp"

namespace liftlock {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::uint64_t k_max_text = 512u << 20;

struct Named {
  std::string_view suffix;
  std::string_view reason;
};

constexpr std::string_view k_pickle = "a pickle, which runs code when it is loaded";
constexpr std::array k_unsafe_names = {
    Named{".pt", k_pickle},
    Named{".pth", k_pickle},
    Named{".ckpt", k_pickle},
    Named{".bin", "a PyTorch pickle by convention, which runs code when it is loaded"},
    Named{".pkl", k_pickle},
    Named{".pickle", k_pickle},
    Named{".dill", k_pickle},
    Named{".joblib", k_pickle},
    Named{".ptl", "TorchScript, which is code"},
    Named{".torchscript", "TorchScript, which is code"},
    Named{".h5", "a Keras or HDF5 file, whose layers can run code (CVE-2025-1550)"},
    Named{".hdf5", "a Keras or HDF5 file, whose layers can run code (CVE-2025-1550)"},
    Named{".keras", "a Keras archive, whose layers can run code (CVE-2025-1550)"},
    Named{"saved_model.pb", "a TensorFlow graph, which can read and write files"},
    Named{".nemo", "an archive with pickles"},
    Named{".mar", "an archive with a Python handler"},
    Named{".npz", "an archive of NumPy arrays, which may be pickles"},
    Named{".llamafile", "a program"},
    Named{".exe", "a program"},
    Named{".dll", "a program library"},
    Named{".so", "a program library"},
    Named{".dylib", "a program library"},
    Named{".zip", "an archive, which is not looked into"},
    Named{".tar", "an archive, which is not looked into"},
    Named{".tgz", "an archive, which is not looked into"},
    Named{".gz", "a compressed file, which is not looked into"},
    Named{".7z", "an archive, which is not looked into"},
};

struct Magic {
  std::string_view bytes;
  ContentKind kind;
  std::string_view reason;
};

constexpr std::array k_magics = {
    Magic{"GGUF"sv, ContentKind::gguf, ""},
    Magic{"\x89HDF\r\n\x1a\n"sv, ContentKind::unsafe, "an HDF5 file, as Keras writes it: its layers can run code"},
    Magic{"\x7f"
          "ELF"sv,
          ContentKind::unsafe, "a program (ELF)"},
    Magic{"\xcf\xfa\xed\xfe"sv, ContentKind::unsafe, "a program (Mach-O)"},
    Magic{"\xca\xfe\xba\xbe"sv, ContentKind::unsafe, "a program (Mach-O or Java)"},
    Magic{"\0asm"sv, ContentKind::unsafe, "a program (WebAssembly)"},
    Magic{"\x1f\x8b"sv, ContentKind::unsafe, "a gzip file, which is not looked into: joblib and torch pack pickles so"},
    Magic{"BZh"sv, ContentKind::unsafe, "a bzip2 file, which is not looked into"},
    Magic{"\xfd"
          "7zXZ\0"sv,
          ContentKind::unsafe, "an xz file, which is not looked into"},
    Magic{"\x28\xb5\x2f\xfd"sv, ContentKind::unsafe, "a zstd file, which is not looked into"},
    Magic{"7z\xbc\xaf\x27\x1c"sv, ContentKind::unsafe, "a 7-Zip archive, which is not looked into"},
    Magic{"\x93NUMPY"sv, ContentKind::unsafe, "a NumPy array, which may hold pickled objects"},
    Magic{"\x89PNG\r\n\x1a\n"sv, ContentKind::image, ""},
    Magic{"\xff\xd8\xff"sv, ContentKind::image, ""},
    Magic{"GIF8"sv, ContentKind::image, ""},
    Magic{"lmgg"sv, ContentKind::whisper, ""},
    Magic{"tjgg"sv, ContentKind::unknown, "a model in the ggjt format that came before GGUF"},
};

std::string beginning(const ByteSource& file, std::uint64_t most) {
  std::string out(static_cast<std::size_t>(std::min(most, file.size())), '\0');
  file.read(0, {reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
  return out;
}

std::string ending(const ByteSource& file, std::uint64_t most) {
  const auto size = std::min(most, file.size());
  std::string out(static_cast<std::size_t>(size), '\0');
  file.read(file.size() - size, {reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
  return out;
}

/// How many bytes of argument an opcode has (pickletools): -1 one line, -2 two lines, -3, -4, -5 a length of 1, 4, 8
/// bytes and as many bytes; nullopt for what is no opcode.
std::optional<int> pickle_argument(char opcode) {
  constexpr std::string_view k_none = "(.012NQRabdelostu)]}\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94\x97\x98"sv;
  const auto one_of = [&](std::string_view set) { return set.find(opcode) != std::string_view::npos; };
  if (one_of(k_none)) return 0;
  if (one_of("FILPSVgp")) return -1;
  if (one_of("ci")) return -2;
  if (one_of("UC\x8c\x8a")) return -3;
  if (one_of("TXB\x8b")) return -4;
  if (one_of("\x8d\x8e\x96")) return -5;
  if (one_of("Khq\x80\x82")) return 1;
  if (one_of("M\x83")) return 2;
  if (one_of("Jjr\x84")) return 4;
  if (one_of("G\x95")) return 8;
  return std::nullopt;
}

/// Could a pickle name a module or something in it so? Lists of digests and other texts have blanks in their lines.
bool is_global_name(std::string_view line) {
  return !line.empty() && std::none_of(line.begin(), line.end(), [](char c) { return c == ' ' || c == '\t'; });
}

/// Walks opcodes: is this a pickle that names code (GLOBAL, INST …) and reaches its STOP, or the end of what was read?
/// Protocols 0 and 1 have no magic and are mostly text.
bool is_bare_pickle(std::string_view head) {
  bool names_code = false;
  while (!head.empty()) {
    const char opcode = head.front();
    head.remove_prefix(1);
    if (opcode == '.') return names_code;
    if (std::string_view("ci\x82\x83\x84\x93").find(opcode) != std::string_view::npos) names_code = true;
    const auto argument = pickle_argument(opcode);
    if (!argument) return false;
    std::uint64_t skip = *argument > 0 ? static_cast<std::uint64_t>(*argument) : 0;
    for (int line = *argument; line == -1 || line == -2; line = line == -2 ? -1 : 0) {
      const auto end = head.find('\n');
      if (end == std::string_view::npos) return false;
      if (*argument == -2 && !is_global_name(head.substr(0, end))) return false;
      head.remove_prefix(end + 1);
    }
    if (*argument <= -3) {
      const std::size_t width = *argument == -3 ? 1 : *argument == -4 ? 4 : 8;
      if (head.size() < width) return names_code;
      for (std::size_t i = 0; i < width; ++i) skip |= std::uint64_t{static_cast<std::uint8_t>(head[i])} << (8 * i);
      head.remove_prefix(width);
    }
    head.remove_prefix(static_cast<std::size_t>(std::min<std::uint64_t>(skip, head.size())));
  }
  return names_code;
}

bool is_pickle(std::string_view head) {
  // From protocol 2 on the first opcode is PROTO, then comes FRAME or what begins a value.
  if (head.size() >= 3 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5 && pickle_argument(head[2])) return true;
  return is_bare_pickle(head);
}

std::string zip_reason(std::string_view head, std::string_view tail) {
  const auto holds = [&](std::string_view name) {
    return head.find(name) != std::string_view::npos || tail.find(name) != std::string_view::npos;
  };
  if (holds("constants.pkl")) return "TorchScript (a zip with constants.pkl), which is code";
  if (holds("data.pkl") || holds(".pkl"))
    return "a zip with a pickle, as torch.save writes it: it runs code when it is loaded";
  if (holds("model.weights.h5")) return "a Keras archive, whose layers can run code (CVE-2025-1550)";
  if (holds(".npy")) return "a NumPy archive, which may hold pickled objects";
  return "a zip archive, which is not looked into";
}

std::optional<Content> by_magic(std::string_view head, std::string_view tail) {
  if (head.starts_with("PK\x03\x04") || head.starts_with("PK\x05\x06")) {
    return Content{ContentKind::unsafe, zip_reason(head, tail)};
  }
  for (const auto& magic : k_magics) {
    if (head.starts_with(magic.bytes)) return Content{magic.kind, std::string(magic.reason)};
  }
  if (head.starts_with("RIFF") && head.size() >= 12 && head.substr(8, 4) == "WEBP")
    return Content{ContentKind::image, {}};
  if (head.size() > 262 && head.substr(257, 5) == "ustar") {
    return Content{ContentKind::unsafe, "a tar archive, which is not looked into"};
  }
  if (is_pickle(head)) return Content{ContentKind::unsafe, std::string(k_pickle)};
  return std::nullopt;
}

bool is_text(const ByteSource& file) {
  if (file.size() > k_max_text) return false;
  ForwardReader in(file, 0, file.size());
  Utf8Check utf8;
  while (in.remaining() > 0) {
    const auto piece = in.some(in.remaining());
    utf8.feed(piece);
    // Vocabularies list odd characters; a zero byte, an escape or other control bytes mean that it is not for reading.
    const bool odd = std::any_of(piece.begin(), piece.end(), [](std::uint8_t c) {
      return c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != '\v';
    });
    if (odd) return false;
  }
  return utf8.ok();
}

bool begins_as_safetensors(const ByteSource& file) {
  if (file.size() < 10) return false;
  ForwardReader in(file, 0, 9);
  const auto header = in.u64();
  return header >= 2 && header <= file.size() - 8 && in.u8() == '{';
}

}  // namespace

std::string why_unsafe_name(std::string_view path) {
  const auto name = to_lower(path.substr(path.rfind('/') + 1));
  // So the models of whisper.cpp are called; what it is its bytes will say.
  if (name.starts_with("ggml-") && name.ends_with(".bin")) return {};
  for (const auto& unsafe : k_unsafe_names) {
    if (name.ends_with(unsafe.suffix)) return std::string(unsafe.reason);
  }
  return {};
}

bool ends_as_zip(const ByteSource& file) {
  constexpr std::size_t k_record = 22;  // the end of central directory record without its comment
  const auto tail = ending(file, 65'535 + k_record);
  for (std::size_t at = tail.rfind("PK\x05\x06"); at != std::string::npos; at = tail.rfind("PK\x05\x06", at - 1)) {
    if (at + k_record <= tail.size()) {
      const auto comment = static_cast<std::uint8_t>(tail[at + 20]) + 256u * static_cast<std::uint8_t>(tail[at + 21]);
      if (at + k_record + comment == tail.size()) return true;
    }
    if (at == 0) break;
  }
  return false;
}

Content recognise(std::string_view path, const ByteSource& file) {
  const auto name = to_lower(path.substr(path.rfind('/') + 1));
  const auto head = beginning(file, 64 * 1024);
  // The name decides first for the two formats whose own validator is stricter than any guess.
  if (name.ends_with(".gguf")) return {ContentKind::gguf, {}};
  if (name.ends_with(".safetensors")) return {ContentKind::safetensors, {}};
  if (auto found = by_magic(head, ending(file, 64 * 1024))) return *found;
  if (auto reason = why_unsafe_name(path); !reason.empty()) return {ContentKind::unsafe, std::move(reason)};
  if (name.ends_with(".safetensors.index.json")) return {ContentKind::safetensors_index, {}};
  if (name.ends_with(".json")) return {ContentKind::json, {}};
  if (name.ends_with(".onnx")) return {ContentKind::onnx, {}};
  if (is_text(file)) return {ContentKind::text, {}};
  if (head.starts_with("MZ")) return {ContentKind::unsafe, "a program (PE)"};
  if (name.ends_with(".model") || name.ends_with(".spm")) return {ContentKind::sentencepiece, {}};
  if (begins_as_safetensors(file)) return {ContentKind::safetensors, {}};
  if (head.size() > 1 && head[0] == 'x' && (static_cast<std::uint8_t>(head[1]) + 256u * 'x') % 31 == 0) {
    return {ContentKind::unsafe, "a zlib stream, which is not looked into: joblib packs pickles so"};
  }
  return {ContentKind::unknown, "no format that is known here"};
}

}  // namespace liftlock
