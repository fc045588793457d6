// The labels of a site (UNCLASSIFIED, SECRET, …) on models, pools and keys: who reads what, and what is sent where.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock {

/// Whether a key may ask a model. Immutable.
///
/// A key without a label has the lowest one, and so has a key whose label the site does not know any more. A model
/// without one has the highest; a model of a pool without one has its pool's, and a pool without one the lowest.
class Labels {
 public:
  /// The site has none: everybody reads everything.
  Labels() = default;
  /// @param order from the lowest to the highest
  /// @param models label by the name of the catalog, or by POOL/MODEL
  /// @param pools label by the name of the pool
  Labels(std::vector<std::string> order, std::map<std::string, std::string> models,
         std::map<std::string, std::string> pools);

  bool in_use() const { return !m_order.empty(); }
  /// Empty where the site has none.
  std::string highest() const { return in_use() ? m_order.back() : std::string(); }
  bool knows(std::string_view label) const { return rank(label, m_order.size()) < m_order.size(); }
  /// Is a key with this label at the other's height, or below? Always where the site has none.
  bool is_within(std::string_view key_label, std::string_view other) const {
    return rank(key_label, 0) <= rank(other, 0);
  }
  /// @throws Error{forbidden} when the model is above the key
  void require_local(std::string_view key_label, std::string_view model) const;
  /// @param model POOL/MODEL
  /// @throws Error{forbidden} when the model is above the key, or its pool below: what the key's holder writes would go
  /// there
  void require_remote(std::string_view key_label, std::string_view model) const;

 private:
  std::size_t rank(std::string_view label, std::size_t fallback) const;
  void require_read(std::size_t key, std::size_t model_rank, std::string_view model) const;

  std::vector<std::string> m_order;
  std::map<std::string, std::string, std::less<>> m_models, m_pools;
};

}  // namespace liftlock
