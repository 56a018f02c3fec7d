// SPDX-License-Identifier: Apache-2.0
// Maps with keys. Each writer has keys of its own, and notes for each what it asked for and what was
// acknowledged.
#pragma once
#include <optional>

#include "map_subject.h"

namespace portolan::stress {

class KeyedSubject : public Subject {
 public:
  static constexpr std::uint32_t kOwnKeys = 16;
  static constexpr std::uint32_t kKeys = kWriters * kOwnKeys;

  std::span<const char* const> changes() const override;
  Problem settle(Client& client, std::uint32_t writer) override;
  Problem change(Client& client, unsigned kind, Writer& writer) override;
  Problem get_ready(Client& client, unsigned kind) override;

 protected:
  enum Kind : unsigned { kReplace, kInsert, kErase };
  // What a key has is a number, 0 for nothing.
  static constexpr std::uint64_t kMixed = ~0ull;  // words of what was asked for and of what was acknowledged
  struct Traits {
    bool is_fixed = false;  // all keys are always there, 0 is a value as any other
    bool has_modes = true;  // updates take BPF_NOEXIST and BPF_EXIST
    bool forgets = false;   // a key may be gone at any time
  };
  explicit KeyedSubject(Traits traits) : traits_(traits) {}

  virtual long put(Client& client, std::uint32_t key, std::uint64_t content, std::uint64_t flags) = 0;
  virtual long remove(Client& client, std::uint32_t key) = 0;
  // What the key has, one of the two or 0 or kMixed; nothing: something else.
  virtual std::optional<std::uint64_t> content(Client& client, std::uint32_t key, std::uint64_t asked,
                                               std::uint64_t acknowledged) = 0;
  // For the next update of the key, and what is due when that is over.
  virtual std::uint64_t new_content(Client& client, Writer& writer) = 0;
  virtual void done_with(Client&, std::uint64_t) {}

  Problem write(Client& client, std::uint32_t key, std::uint64_t content, std::uint64_t flags);
  std::uint32_t present() const;  // of the keys that writers have
  std::uint64_t acknowledged(std::uint32_t key) const {
    return journal_->own[key].acknowledged.load_relaxed();
  }
  std::uint64_t next_version(std::uint32_t writer) {
    return journal_->versions[writer].fetch_add_relaxed(1) + 1;
  }
  // Keys that no writer has go in until the map is full, which is when max_entries are there; then they go.
  Problem fills_up(Client& client, std::uint32_t max_entries, std::uint64_t content, int full = E2BIG);

 private:
  std::optional<std::uint32_t> choose(Writer& writer, bool present) const;
  struct Record {
    sync::Atomic<std::uint64_t> asked, acknowledged;
  };
  struct Journal {
    Record own[kKeys];
    sync::Atomic<std::uint64_t> versions[kWriters + 1];
  };
  const Traits traits_;
  Shared<Journal> journal_;
};

}  // namespace portolan::stress
