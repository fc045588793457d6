#include "ecosystem/xml.hpp"

#include <expat.h>

#include <algorithm>
#include <exception>
#include <vector>

#include "base/text.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_block = 1u << 20;  ///< expat counts in int
constexpr std::uint64_t k_max_token = 4u << 20;
constexpr std::size_t k_max_name = 1000;

}  // namespace

std::string_view XmlAttributes::operator[](std::string_view name) const {
  for (const auto* at = m_pairs; *at != nullptr; at += 2) {
    if (at[0] == name) return at[1];
  }
  return {};
}

/// Exceptions may not pass through expat: they are kept until it has stopped.
struct XmlReader::Impl {
  Impl(XmlListener& told, std::string named, XmlForm wanted)
      : listener(told), where(std::move(named)), form(wanted), parser(XML_ParserCreate(nullptr), &XML_ParserFree) {
    if (!parser) fail(ErrorCode::memory_limit, "no memory for an XML parser");
    XML_SetUserData(parser.get(), this);
    XML_SetElementHandler(
        parser.get(),
        [](void* self, const char* name, const char** attributes) {
          guarded(self, [&](Impl& impl) { impl.begin(name, attributes); });
        },
        [](void* self, const char*) { guarded(self, [](Impl& impl) { impl.end(); }); });
    XML_SetCharacterDataHandler(parser.get(), [](void* self, const char* data, int size) {
      guarded(self, [&](Impl& impl) { impl.characters({data, static_cast<std::size_t>(size)}); });
    });
    XML_SetStartDoctypeDeclHandler(parser.get(), [](void* self, const char*, const char*, const char*, int) {
      guarded(self, [](Impl& impl) {
        fail(
            impl.form.malformed,
            "{} has a document type declaration, which is not read: its entities can unfold to any size, or name files",
            impl.where);
      });
    });
    // As if a document type stood elsewhere: what it would declare is then unknown, and no error.
    if (form.entities == XmlForm::Unknown::pass_over) (void)XML_UseForeignDTD(parser.get(), XML_TRUE);
    if (form.encodings == XmlForm::Unknown::pass_over)
      XML_SetUnknownEncodingHandler(parser.get(), &as_single_bytes, nullptr);
  }

  static int as_single_bytes(void*, const char*, XML_Encoding* encoding) {
    constexpr int k_ascii = 0x80, k_replacement = 0xfffd;
    for (int i = 0; i < static_cast<int>(std::size(encoding->map)); ++i)
      encoding->map[i] = i < k_ascii ? i : k_replacement;
    encoding->data = nullptr;
    encoding->convert = nullptr;
    encoding->release = nullptr;
    return XML_STATUS_OK;
  }

  template <typename Work>
  static void guarded(void* self, Work&& work) {
    auto& impl = *static_cast<Impl*>(self);
    if (impl.failure) return;
    try {
      work(impl);
    } catch (...) {
      impl.failure = std::current_exception();
      XML_StopParser(impl.parser.get(), XML_FALSE);
    }
  }

  void parse(std::string_view block, bool is_last) {
    const auto status =
        XML_Parse(parser.get(), block.data(), static_cast<int>(block.size()), is_last ? XML_TRUE : XML_FALSE);
    if (failure) std::rethrow_exception(failure);
    if (status == XML_STATUS_OK) {
      fed += block.size();
      // What begins and does not end is kept whole by expat.
      const auto done = XML_GetCurrentByteIndex(parser.get());
      if (!is_last && done >= 0 && fed - static_cast<std::uint64_t>(done) > k_max_token)
        fail(ErrorCode::limit_exceeded, "{} has a tag or a comment of more than {} bytes", where, k_max_token);
      return;
    }
    fail(form.malformed, "{} is no sound XML: {} in line {}", where, XML_ErrorString(XML_GetErrorCode(parser.get())),
         XML_GetCurrentLineNumber(parser.get()));
  }

  void begin(std::string_view name, const char** attributes) {
    if (lengths.size() >= form.max_depth) {
      fail(ErrorCode::limit_exceeded, "{} is nested too deeply: more than {} elements", where, form.max_depth);
    }
    if (name.size() > k_max_name)
      fail(ErrorCode::limit_exceeded, "{} has a name of more than {} bytes", where, k_max_name);
    lengths.push_back(path.size());
    if (!path.empty()) path += '/';
    path += name.substr(name.rfind(':') + 1);
    clear_text();
    listener.begin(path, XmlAttributes(attributes));
  }
  void end() {
    listener.end(path, trim(text));
    clear_text();
    path.resize(lengths.back());
    lengths.pop_back();
  }
  void characters(std::string_view data) {
    text_is_long = text_is_long || text.size() + data.size() > form.max_text;
    if (text_is_long) {
      text.clear();
    } else {
      text += data;
    }
  }
  void clear_text() {
    text.clear();
    text_is_long = false;
  }

  XmlListener& listener;
  std::string where;
  XmlForm form;
  std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser;
  std::uint64_t fed = 0;
  std::string path;
  std::vector<std::size_t> lengths;  ///< of path before each open element
  std::string text;
  bool text_is_long = false;
  std::exception_ptr failure;
};

XmlReader::XmlReader(XmlListener& listener, std::string where, XmlForm form)
    : m_impl(std::make_unique<Impl>(listener, std::move(where), form)) {}
XmlReader::~XmlReader() = default;

void XmlReader::feed(std::string_view block) {
  for (; !block.empty(); block.remove_prefix(std::min(k_block, block.size())))
    m_impl->parse(block.substr(0, k_block), false);
}

void XmlReader::finish() {
  m_impl->parse({}, true);
}

void read_xml(std::string_view text, XmlListener& listener, const std::string& where, XmlForm form) {
  XmlReader reader(listener, where, form);
  reader.feed(text);
  reader.finish();
}

}  // namespace liftlock
