// Names of Python projects and extras.
// https://packaging.python.org/en/latest/specifications/name-normalization/ (PEP 503, PEP 685)
#pragma once

#include <string>
#include <string_view>

namespace liftlock {

/// Letters, digits, '.', '_' and '-', beginning and ending with a letter or digit; at most 200 bytes.
bool is_project_name(std::string_view name);

/// Lower case, runs of '-', '_' and '.' become one '-': "Foo._Bar" is "foo-bar". Any text goes in.
std::string normalize_project_name(std::string_view name);

}  // namespace liftlock
