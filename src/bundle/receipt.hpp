// What the high side may say to the low side, carried by people: a receipt says what it holds, a request which files of
// a bundle it lacks. Either makes the next bundle small. Format: docs/formats/receipt.md.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/digest.hpp"
#include "os/file.hpp"
#include "trust/trust.hpp"

namespace liftlock {

struct Receipt {
  enum class Kind : std::uint8_t {
    receipt,  ///< `files` are held
    request,  ///< `files` are lacking of the one bundle that `channels` names
  };
  struct Place {
    std::string channel;
    std::uint64_t sequence = 0;
    Digest bundle;  ///< of its bundle.json
  };
  Kind kind = Kind::receipt;
  std::string organisation;
  std::string host;
  std::string creator;
  Timestamp created{};
  std::vector<Place> channels;  ///< the newest that was accepted of each, sorted by channel
  std::vector<Digest> files;    ///< sorted, each once
};

/// "receipt", "request": also the name of its file, and of its format.
std::string_view name(Receipt::Kind kind);

std::string write_receipt(const Receipt& receipt);
/// @throws Error{json_invalid, json_duplicate_key, schema_violation, too_new, limit_exceeded}
Receipt parse_receipt(std::string_view text);

/// A receipt's folder: NAME.json, and signatures/ beside it.
struct CarriedReceipt {
  Receipt receipt;
  std::string text;  ///< the exact bytes that are signed
  std::vector<SignatureFile> signatures;
};
/// nullopt when the folder holds neither receipt.json nor request.json.
/// @throws as parse_receipt, Error{limit_exceeded, not_regular}
std::optional<CarriedReceipt> read_receipt(const fs::path& folder);
/// Makes the folder, which appears whole or not at all.
/// @param sign may add signatures/ to the folder that it is given; what it throws ends all of it
/// @throws Error{immutable} when there is something
void put_receipt(const fs::path& folder, const Receipt& receipt, const std::function<void(const fs::path&)>& sign);

}  // namespace liftlock
