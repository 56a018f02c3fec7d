// SPDX-License-Identifier: Apache-2.0
// What lies in the head of a state and changes during an object's life: its edges, and who maps its pages
// writable.
#include <algorithm>

#include "object/impl.h"

namespace portolan::object {
namespace {

struct Edges {
  EdgeWord* words;
  std::uint32_t count;
};

// The header is outside data: the bound is taken from what the view was opened with, once more against the
// region.
Edges edges_in(const shm::Region& state) {
  const auto& header = *state.at<ObjectHeader>(0);
  const std::uint32_t count = header.max_edges;
  auto* words = state.at<EdgeWord>(kEdgesOffset, count);
  return words == nullptr ? Edges{nullptr, 0} : Edges{words, count};
}

// Rows are a process's, not a thread's.
sync::Owner process_of(sync::Owner owner) { return {owner.slot(), owner.incarnation(), 0}; }

}  // namespace

Result<void> Runtime::add_edge(View& from, Edge to, std::uint32_t places) {
  if (!is_kind(number(to.kind))) return fail(EINVAL);
  const sync::Actor self = TRY(actor());
  return impl_->locked(self, [&]() -> Result<void> {
    if (!impl_->still_lives(from) || !impl_->find(to.kind, to.id)) return fail(ENOENT);
    const Edges edges = edges_in(from.state());
    for (std::uint32_t at = 0; at < std::min(edges.count, places); ++at) {
      if (edges.words[at].load_relaxed() != 0) continue;
      impl_->count_referrer(to, +1);
      edges.words[at].store_release(edge_word(to));  // the commit; read by others through the file
      return {};
    }
    return fail(ENOSPC);
  });
}

Result<void> Runtime::remove_edge(View& from, Edge to) {
  const sync::Actor self = TRY(actor());
  TRY(impl_->locked(self, [&]() -> Result<void> {
    const Edges edges = edges_in(from.state());
    for (std::uint32_t at = 0; at < edges.count; ++at) {
      if (edges.words[at].load_relaxed() != edge_word(to)) continue;
      edges.words[at].store_release(0);  // the commit
      // Once the object is gone its edges have been taken off the count.
      if (impl_->still_lives(from)) impl_->count_referrer(to, -1);
      return {};
    }
    return fail(ENOENT);
  }));
  settle(to.kind, to.id);
  return {};
}

Result<std::uint32_t> Runtime::replace_edge(View& from, std::uint32_t place, Edge to) {
  if (!is_kind(number(to.kind))) return fail(EINVAL);
  const sync::Actor self = TRY(actor());
  return impl_->locked(self, [&]() -> Result<std::uint32_t> {
    if (!impl_->still_lives(from) || (to.id != 0 && !impl_->find(to.kind, to.id))) return fail(ENOENT);
    const Edges edges = edges_in(from.state());
    if (place >= edges.count) return fail(EINVAL);
    const std::uint64_t before = edges.words[place].load_relaxed();
    if (to.id != 0) impl_->count_referrer(to, +1);
    // The commit; read by programs through edge_places(), by others through the file.
    edges.words[place].store_release(to.id != 0 ? edge_word(to) : 0);
    if (before == 0) return 0;
    impl_->count_referrer(edge_of_word(before), -1);
    return edge_of_word(before).id;
  });
}

std::span<const sync::Atomic<std::uint64_t>> Runtime::edge_places(const View& view) {
  const Edges edges = edges_in(view.state());
  return {edges.words, edges.count};
}

std::span<const sync::Atomic<std::uint64_t>> Runtime::edge_places(const Draft& draft) {
  const Edges edges = edges_in(draft.state);
  return {edges.words, edges.count};
}

Result<std::vector<Edge>> Runtime::edges_of(const View& view) {
  const sync::Actor self = TRY(actor());
  return impl_->locked(self, [&]() -> Result<std::vector<Edge>> {
    std::vector<Edge> list;
    const Edges edges = edges_in(view.state());
    for (std::uint32_t at = 0; at < edges.count; ++at)
      if (const std::uint64_t word = edges.words[at].load_relaxed();
          is_kind(static_cast<std::uint32_t>(word >> 32)))
        list.push_back(edge_of_word(word));
    return list;
  });
}

Result<void> Runtime::add_writable_mapping(View& view) {
  const sync::Actor self = TRY(actor());
  const std::uint64_t mine = process_of(self.self).word();
  return impl_->locked(self, [&]() -> Result<void> {
    WriterRow* free_row = nullptr;
    for (WriterRow& row : view.state().at<ObjectHeader>(0)->writers) {
      const std::uint64_t owner = row.owner.load_relaxed();
      if (owner == mine) {
        row.count.store_relaxed(row.count.load_relaxed() + 1);
        return {};
      }
      if (free_row == nullptr && (owner == 0 || !self.liveness->alive(sync::Owner(owner)))) free_row = &row;
    }
    if (free_row == nullptr) return fail(ENOMEM);
    free_row->owner.store_relaxed(0);
    free_row->count.store_relaxed(1);
    free_row->owner.store_release(mine);  // pairs with has_writable_mapping
    return {};
  });
}

void Runtime::remove_writable_mapping(View& view) {
  const auto self = actor();
  if (!self) return;
  const std::uint64_t mine = process_of(self->self).word();
  impl_->locked(*self, [&] {
    for (WriterRow& row : view.state().at<ObjectHeader>(0)->writers) {
      if (row.owner.load_relaxed() != mine) continue;
      const std::uint64_t count = row.count.load_relaxed();
      if (count <= 1) row.owner.store_release(0);  // pairs with has_writable_mapping
      if (count != 0) row.count.store_relaxed(count - 1);
      return;
    }
  });
}

bool Runtime::has_writable_mapping(View& view) {
  for (WriterRow& row : view.state().at<ObjectHeader>(0)->writers) {
    const std::uint64_t owner = row.owner.load_acquire();  // pairs with add_writable_mapping
    if (owner != 0 && row.count.load_relaxed() != 0 && impl_->participants->alive(sync::Owner(owner)))
      return true;
  }
  return false;
}

}  // namespace portolan::object
