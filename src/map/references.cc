// SPDX-License-Identifier: Apache-2.0
// clang-format off
// References from a map to programs or other maps, from a program's functions to what is attached to them.
//
// Layout        Edges of the owner are the places: kind << 32 | id, or 0. So a reference and what keeps
//               its target alive are one word. Beside them, in this process only, a pointer for each place to what
//               was found there last: the word, and the view that it led to.
//
// Invariants    I1 a word is written under the object lock only, by Runtime::replace_edge, which counts; I2 a Known
//               never changes once it is in a slot, but that its code becomes known (first the code, then the word that says so); its view stays mapped as long as
//               it is there; I3 an id that a word
//               has names the same object as long as the word is there.
//
// Linearization find: the load of the word. exchange: the store of the word.
//
// Why it holds  A reader that finds a Known of the same word has its view: by I3, but where the object died, its id was
//               given away again (after 2^31 others) and the same place refers to the new one; then the view is one of
//               a dead object, which I2 keeps mapped. A Known that was replaced is freed when every call that may have
//               loaded its pointer is over.
//
// Progress      find is wait-free on what it knows. Finding anew takes the process's lock and maps files. exchange
//               blocks for the object lock, release for programs that run.
//
// Crash table   killed …              others see          who repairs
//               before the store      the old reference   the object lock's next owner counts anew
//               after the store       the new one         the same; the old target goes with the next settle
// clang-format on
#include "map/references.h"

#include <cstdlib>
#include <new>

#include "sync/call_epoch.h"
#include "sync/quiescence.h"

namespace portolan::map {

using object::Edge;

void References::Free::operator()(Slot* slots) const { std::free(slots); }

References::References(object::View& owner, object::Kind kind, std::uint32_t count, Accepts accepts,
                       std::uint32_t first)
    : owner_(owner), kind_(kind), count_(count), first_(first), accepts_(accepts) {
  const auto places = object::Runtime::edge_places(owner);
  // Zero pages, which cost nothing until they are used.
  known_.reset(static_cast<Slot*>(std::calloc(count, sizeof(Slot))));
  if (known_ != nullptr && places.size() >= std::uint64_t{first} + count)
    words_ = places.subspan(first, count);
}

References::~References() { forget(); }

void References::forget() {
  // Pairs with learn.
  for (std::size_t place = 0; place < words_.size(); ++place) delete known_[place].exchange_acq_rel(nullptr);
  for (const Known* known = retired_.exchange_acq_rel(nullptr); known != nullptr;) {
    const Known* const next = known->next;
    delete known;
    known = next;
  }
}

std::uint32_t References::id_of(std::uint64_t word) const {
  return word >> 32 == static_cast<std::uint64_t>(kind_) ? static_cast<std::uint32_t>(word) : 0;
}

std::uint32_t References::id_at(std::uint32_t place) const {
  return place < words_.size() ? id_of(words_[place].load_acquire()) : 0;  // pairs with Runtime::replace_edge
}

// Known has a reference count in its view, so that the standard does not say what offsets are; the compilers
// do.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
References::Tables References::tables() const {
  static_assert(sizeof(Slot) == sizeof(void*));
  return {words_.data(), reinterpret_cast<const void* const*>(known_.get()),
          static_cast<std::uint32_t>(words_.size()), offsetof(Known, code_word), offsetof(Known, code)};
}
#pragma GCC diagnostic pop

void References::note_code(std::uint32_t place, const object::View& found, const void* code) {
  Known* const known = known_[place].load_acquire();  // pairs with learn
  if (known == nullptr || known->view.get() != &found) return;
  known->code.store_relaxed(code);
  known->code_word.store_release(known->word);  // pairs with the look before a jump there
}

object::View* References::find_anew(std::uint32_t place) {
  for (;;) {
    const std::uint64_t word = words_[place].load_acquire();  // pairs with Runtime::replace_edge
    if (id_of(word) == 0) return nullptr;
    object::View* const found = learn(place, word);
    if (words_[place].load_relaxed() == word) return found;
  }
}

object::View* References::learn(std::uint32_t place, std::uint64_t word) {
  const Result<object::View*> view = owner_.runtime().view_by_id(kind_, id_of(word));
  if (!view || !accepts_(owner_, **view)) return nullptr;
  auto* const known = new (std::nothrow) Known(word, **view);
  if (known == nullptr) return nullptr;
  object::View* const found = known->view.get();
  // Pairs with find.
  if (Known* const before = known_[place].exchange_acq_rel(known); before != nullptr) retire(before);
  free_retired();
  return found;
}

void References::retire(Known* known) {
  known->epoch = sync::begin_epoch();
  Known* head = retired_.load_relaxed();
  do {
    known->next = head;
  } while (!retired_.cas_acq_rel(head, known));
}

void References::free_retired() {
  const Known* known = retired_.exchange_acq_rel(nullptr);
  while (known != nullptr) {
    const Known* const next = known->next;
    if (sync::quiesced(known->epoch))
      delete known;
    else
      retire(const_cast<Known*>(known));  // ours again: it is in no list
    known = next;
  }
}

void References::wait_for_programs() const {
  const auto self = owner_.runtime().actor();
  if (!self) return;
  // A program that waited for others would have them wait for it.
  const sync::VcpuTable& vcpus = owner_.runtime().vcpus();
  if (!vcpus.is_inside(*self)) sync::wait_quiescent(vcpus, *self);
}

Result<std::uint32_t> References::exchange(std::uint32_t place, std::uint32_t id) {
  return owner_.runtime().replace_edge(owner_, first_ + place, Edge{kind_, id});
}

void References::release(std::uint32_t id) {
  if (id == 0) return;
  wait_for_programs();
  owner_.runtime().settle(kind_, id);
}

void References::clear() {
  std::vector<std::uint32_t> gone;
  for (std::uint32_t place = 0; place < words_.size(); ++place) {
    if (words_[place].load_relaxed() == 0) continue;
    if (const auto before = exchange(place, 0); before && *before != 0) gone.push_back(*before);
  }
  if (gone.empty()) return;
  wait_for_programs();
  for (std::uint32_t id : gone) owner_.runtime().settle(kind_, id);
}

}  // namespace portolan::map
