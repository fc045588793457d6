// Crates as a folder that cargo takes for a registry, and the tables of its configuration that put one source into the
// place of the registries that a lock names.
// https://doc.rust-lang.org/cargo/reference/source-replacement.html#local-registry-sources
#pragma once

#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "ecosystem/plain_layout.hpp"

namespace liftlock::cargo {

/// What an inspection learnt of a crate, with k_fact_index.
using InspectedCrate = std::function<Json(const Artifact&)>;

/// NAME-VERSION.crate, index/ab/cd/abcd… with a line for each version, and .cargo/config.toml, which names the folder
/// that it lies in: `cargo build --config FOLDER/.cargo/config.toml`. Of two contents under one name and version the
/// later counts; what is no crate is passed over.
/// @throws Error{schema_violation}, with the crate, for one of which no line can be made
PlainLayout local_registry(std::span<const Artifact> artifacts, const InspectedCrate& inspected);

/// The tables: `source` ("registry = …", "local-registry = …") stands for the registry that cargo has built in and for
/// `others`, which are written as Cargo.lock does.
std::string source_replacement(std::string_view source, const std::set<std::string>& others);

}  // namespace liftlock::cargo
