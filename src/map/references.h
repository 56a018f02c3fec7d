// SPDX-License-Identifier: Apache-2.0
// A row of places in an object, each of which may refer to another one: to a program, a map, or a hook. See
// references.cc for the essay.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "object/runtime.h"

namespace portolan::map {

inline constexpr std::uint32_t kMostReferences = 8 << 20;  // of one map

class References {
 public:
  // Whether what a place leads to is such as the map may hold: the region is outside data.
  using Accepts = bool (*)(const object::View& owner, const object::View& found);
  // Of the owner's edges, `count` from `first` on. Place 0 of a map's is its BTF's.
  References(object::View& owner, object::Kind kind, std::uint32_t count, Accepts accepts,
             std::uint32_t first = 1);
  References(const References&) = delete;
  References& operator=(const References&) = delete;
  ~References();
  static constexpr std::uint32_t edges(std::uint32_t count) { return 1 + count; }

  std::uint32_t count() const { return count_; }
  std::uint32_t id_at(std::uint32_t place) const;  // 0: none
  // The view of what is there, valid until the caller leaves its CallEpoch; nullptr: nothing, or it cannot be
  // mapped here. Takes no lock once it has been found before.
  object::View* find(std::uint32_t place) {
    if (place >= words_.size()) [[unlikely]]
      return nullptr;
    const std::uint64_t word = words_[place].load_acquire();  // pairs with Runtime::replace_edge
    const Known* known = known_[place].load_acquire();        // pairs with learn
    if (known != nullptr && known->word == word) [[likely]]
      return known->view.get();
    return find_anew(place);
  }
  // The same of an object that was seen to be at a place, though it may be there no more; nullptr: it is
  // gone.
  object::View* find(std::uint32_t place, std::uint32_t id) {
    if (place >= words_.size()) [[unlikely]]
      return nullptr;
    const Known* known = known_[place].load_acquire();  // pairs with learn
    if (known != nullptr && known->word == word_of(id)) [[likely]]
      return known->view.get();
    return learn(place, word_of(id));
  }
  // What was there before, 0 for nothing; `id` 0 leaves nothing there. release() must follow. ENOENT: the
  // object, or the map, is gone.
  Result<std::uint32_t> exchange(std::uint32_t place, std::uint32_t id);
  // For what exchange() gave back, 0 included: returns when no program can be using it, unless the caller is
  // inside a program itself. Hold no lock that a program may want.
  void release(std::uint32_t id);
  // For code that does what find() does, and goes on to the code of what it has found: tables by place of
  // words and of pointers to what is known, nullptr where nothing is. That has at these offsets the word that
  // its code belongs to, and the code. Where the words differ, find().
  struct Tables {
    const sync::Atomic<std::uint64_t>* words;
    const void* const* known;
    std::uint32_t count;
    std::uint8_t word_at, code_at;
  };
  Tables tables() const;
  // What find() found at the place has this code, for as long as it is mapped.
  void note_code(std::uint32_t place, const object::View& found, const void* code);
  // Leaves nothing anywhere, with one wait for all.
  void clear();
  // Gives up what this process has found; nobody may be using it.
  void forget();

 private:
  using Word = sync::Atomic<std::uint64_t>;
  struct Known {  // what this process has found at a place
    Known(std::uint64_t its_word, object::View& found) : word(its_word), view(found) {}
    std::uint64_t word;
    // Of a program whose machine code has been asked for: the same word, and that. Else no place's.
    Word code_word{UINT64_MAX};
    sync::Atomic<const void*> code;
    object::ViewRef view;
    std::uint64_t epoch = 0;      // once replaced: nobody uses it when this has passed
    const Known* next = nullptr;  // once replaced
  };
  using Slot = sync::Atomic<Known*>;
  struct Free {
    void operator()(Slot* slots) const;
  };

  object::View* find_anew(std::uint32_t place);
  object::View* learn(std::uint32_t place, std::uint64_t word);
  std::uint64_t word_of(std::uint32_t id) const {
    return std::uint64_t{static_cast<std::uint32_t>(kind_)} << 32 | id;
  }
  void retire(Known* known);
  void free_retired();
  std::uint32_t id_of(std::uint64_t word) const;
  void wait_for_programs() const;

  object::View& owner_;
  object::Kind kind_;
  std::uint32_t count_, first_;
  Accepts accepts_;
  std::span<const Word> words_;
  std::unique_ptr<Slot[], Free> known_;
  sync::Atomic<Known*> retired_;
};

}  // namespace portolan::map
