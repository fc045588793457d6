// XML of ecosystems (the lists of RPM repositories, POMs), read by expat block by block: memory does not grow with the
// document. A document type declaration is refused before anything of it is read: its entities unfold to any size, or
// name files and addresses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace liftlock {

/// Of one element, as expat hands them over.
class XmlAttributes {
 public:
  explicit XmlAttributes(const char** pairs) : m_pairs(pairs) {}
  /// Empty where there is none.
  std::string_view operator[](std::string_view name) const;

 private:
  const char** m_pairs;
};

/// Told of elements by their path without the prefixes of namespaces: "repomd/data/checksum". May throw.
class XmlListener {
 public:
  virtual ~XmlListener() = default;
  virtual void begin(std::string_view path, const XmlAttributes& attributes) = 0;
  /// @param text directly within it, without blanks around; empty where it is longer than XmlForm::max_text
  virtual void end(std::string_view path, std::string_view text) = 0;
};

struct XmlForm {
  enum class Unknown : std::uint8_t { refuse, pass_over };

  std::size_t max_depth = 32;
  std::size_t max_text = 4096;
  ErrorCode malformed = ErrorCode::schema_violation;
  Unknown entities = Unknown::refuse;   ///< "&oslash;", which only a document type would declare
  Unknown encodings = Unknown::refuse;  ///< passed over: one byte is one character, and only those of ASCII are known
};

class XmlReader {
 public:
  /// @param listener outlives the reader. @param where names the document in errors
  XmlReader(XmlListener& listener, std::string where, XmlForm form = {});
  ~XmlReader();
  XmlReader(const XmlReader&) = delete;
  XmlReader& operator=(const XmlReader&) = delete;

  /// The next bytes. After an exception only the destructor may be called.
  /// @throws Error{form.malformed, limit_exceeded}, and what the listener throws
  void feed(std::string_view block);
  /// The document has ended. @throws as feed()
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

/// A whole document. @throws as XmlReader::feed
void read_xml(std::string_view text, XmlListener& listener, const std::string& where, XmlForm form = {});

}  // namespace liftlock
