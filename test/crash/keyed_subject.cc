// SPDX-License-Identifier: Apache-2.0
#include "keyed_subject.h"

#include "abi/map_flags.h"

namespace portolan::stress {

namespace flag = abi::element_flag;

std::span<const char* const> KeyedSubject::changes() const {
  static constexpr const char* kNames[] = {"replace", "insert", "erase"};
  return {kNames, traits_.is_fixed ? 1u : 3u};
}

Problem KeyedSubject::settle(Client& client, std::uint32_t writer) {
  for (std::uint32_t key = writer * kOwnKeys; key < (writer + 1) * kOwnKeys; ++key) {
    Record& record = journal_->own[key];
    const std::uint64_t asked = record.asked.load_relaxed(), known = record.acknowledged.load_relaxed();
    std::optional<std::uint64_t> seen = content(client, key, asked, known);
    const bool fits = seen && (seen == asked || seen == known || (traits_.forgets && seen == 0u) ||
                               (seen == kMixed && asked != known));
    if (!fits)
      return fmt::format("key {}: {} was asked for, {} acknowledged, the map has {}", key, asked, known,
                         seen ? fmt::to_string(*seen) : "something else");
    if (seen == kMixed) {
      if (const long result = put(client, key, asked, 0); result != 0)
        return fmt::format("key {} cannot be written again: {}", key, result);
      seen = asked;
    }
    record.acknowledged.store_seq_cst(*seen);
    record.asked.store_seq_cst(*seen);
  }
  return {};
}

std::optional<std::uint32_t> KeyedSubject::choose(Writer& writer, bool present) const {
  const auto first = static_cast<std::uint32_t>(writer.dice());
  for (std::uint32_t step = 0; step < kOwnKeys; ++step) {
    const std::uint32_t key = writer.number * kOwnKeys + (first + step) % kOwnKeys;
    if (traits_.is_fixed || (acknowledged(key) != 0) == present) return key;
  }
  return {};
}

Problem KeyedSubject::write(Client& client, std::uint32_t key, std::uint64_t content, std::uint64_t flags) {
  Record& record = journal_->own[key];
  record.asked.store_seq_cst(content);
  const long result = content != 0 ? put(client, key, content, flags) : remove(client, key);
  if (result != 0 && !(traits_.forgets && content == 0 && result == -ENOENT))
    return fmt::format("key {} becomes {} with flags {}: {}", key, content, flags, result);
  record.acknowledged.store_seq_cst(content);
  return {};
}

Problem KeyedSubject::change(Client& client, unsigned kind, Writer& writer) {
  const auto key = choose(writer, kind != kInsert);
  if (!key) return {};
  if (kind == kErase) return write(client, *key, 0, 0);
  const bool says_so = traits_.has_modes && !traits_.forgets && writer.dice() % 2 == 0;
  const std::uint64_t flags = !says_so ? flag::kAny : kind == kInsert ? flag::kNoExist : flag::kExist;
  const std::uint64_t content = new_content(client, writer);
  Problem problem = write(client, *key, content, flags);
  done_with(client, content);
  return problem;
}

// Of the first writer's keys every other one is there.
Problem KeyedSubject::get_ready(Client& client, unsigned) {
  Writer as_writer{0, std::mt19937_64(1)};
  for (std::uint32_t key = 0; key < kOwnKeys && !traits_.is_fixed; ++key) {
    const bool wanted = key % 2 == 0;
    if ((acknowledged(key) != 0) == wanted) continue;
    const std::uint64_t content = wanted ? new_content(client, as_writer) : 0;
    if (Problem problem = write(client, key, content, 0); !problem.empty()) return problem;
    done_with(client, content);
  }
  return {};
}

std::uint32_t KeyedSubject::present() const {
  std::uint32_t count = 0;
  for (std::uint32_t key = 0; key < kKeys; ++key) count += acknowledged(key) != 0;
  return count;
}

Problem KeyedSubject::fills_up(Client& client, std::uint32_t max_entries, std::uint64_t content, int full) {
  const std::uint32_t there = present();
  std::uint32_t added = 0;
  long result = 0;
  while (there + added <= max_entries && (result = put(client, kKeys + added, content, flag::kNoExist)) == 0)
    ++added;
  Problem problem;
  if (there + added != max_entries || result != -full)
    problem =
        fmt::format("{} are there and {} more went in, of {}; then {}", there, added, max_entries, result);
  for (; added != 0; --added)
    if (const long gone = remove(client, kKeys + added - 1); gone != 0 && problem.empty())
      problem = fmt::format("key {} cannot be removed: {}", kKeys + added - 1, gone);
  return problem;
}

}  // namespace portolan::stress
