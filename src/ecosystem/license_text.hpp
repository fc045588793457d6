// What packages state of their licences, as one line of a list: foreign text, often with the line breaks of its
// document.
#pragma once

#include <string>
#include <string_view>

namespace liftlock {

/// Blanks and line breaks as one space each, none around, the rest as printable() shows it. Empty where that is longer
/// than 1000 bytes: it is the text of a licence, and no name or expression.
std::string license_text(std::string_view stated);

}  // namespace liftlock
