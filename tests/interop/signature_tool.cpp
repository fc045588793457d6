// Signs and judges one document with one key, without an installation: what the interoperability tests drive.
//   signature_tool keygen TYPE KEYFILE      writes KEYFILE and KEYFILE.pub
//   signature_tool sign KEYFILE DOCUMENT    writes a signature file to stdout
//   signature_tool judge PUBLICKEY DOCUMENT SIGNATURE    prints the status; exit status 0 only when it is valid
#include <cstdio>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "trust/key_file.hpp"
#include "trust/trust.hpp"

namespace {

using namespace liftlock;

constexpr std::uint64_t k_max = 1u << 20;

int run(const std::vector<std::string>& arguments) {
  const auto& verb = arguments.at(0);
  if (verb == "keygen") {
    const auto key = PrivateKey::generate(parse_key_algorithm(arguments.at(1)).value());
    key.save(arguments.at(2));
    write_file_atomically(arguments.at(2) + ".pub", key.public_key().pem());
    return 0;
  }
  const auto document = read_file(arguments.at(2), k_max);
  if (verb == "sign") {
    std::fputs(open_signer(arguments.at(1), std::nullopt)->sign(document).c_str(), stdout);
    return 0;
  }
  TrustRoot root;
  root.keys = {describe_key(arguments.at(1), Role::builder, "test")};
  root.thresholds = {{Role::root, 1}, {Role::builder, 1}};
  const auto& file = arguments.at(3);
  const std::string name_here = file.ends_with(".asc") ? "signature.asc" : "signature.sigstore.json";
  const auto judged = judge(document, {{name_here, read_file(file, k_max)}}, root, now());
  std::printf("%s %s\n", std::string(name(judged.at(0).status)).c_str(), judged.at(0).message.c_str());
  return judged.at(0).status == SignatureStatus::valid ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "signature_tool: %s\n", error.what());
    return 2;
  }
}
