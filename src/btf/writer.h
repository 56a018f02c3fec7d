// SPDX-License-Identifier: Apache-2.0
// Makes BTF: types behind those of another blob, whose ids stay, or from the first one on.
#pragma once
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "btf/btf.h"

namespace portolan::btf {

class Writer {
 public:
  // What follows a type: vlen words, or so many structs of words.
  using Words = std::vector<std::uint32_t>;

  // `base` nullptr: there is none. It must outlive the writer.
  explicit Writer(const Btf* base) : base_(base), first_id_(base == nullptr ? 1 : base->type_count()) {}

  // The id of a type that write() says later, so that others can refer to it before.
  std::uint32_t reserve();
  void write(std::uint32_t id, Kind kind, std::string_view name, std::uint32_t size_or_type,
             std::uint32_t vlen = 0, Words words = {}, bool kind_flag = false);
  std::uint32_t add(Kind kind, std::string_view name, std::uint32_t size_or_type, std::uint32_t vlen = 0,
                    Words words = {}, bool kind_flag = false);
  // These are made once for each type that they are of.
  std::uint32_t pointer_to(std::uint32_t type) { return once(Kind::kPtr, type, {}); }
  std::uint32_t const_of(std::uint32_t type) { return once(Kind::kConst, type, {}); }
  std::uint32_t array_of(std::uint32_t element, std::uint32_t index, std::uint32_t count) {
    return once(Kind::kArray, 0, {element, index, count});
  }

  // One that has been written: the three words of abi::btf::Type, and those behind it.
  const Words& record(std::uint32_t id) const { return records_.at(id - first_id_); }
  // The offset of a string.
  std::uint32_t string(std::string_view text);
  // The whole blob, `base` included. Every reserved type must have been written.
  std::vector<std::byte> bytes() const;

 private:
  std::uint32_t once(Kind kind, std::uint32_t type, Words words);

  const Btf* base_;
  std::uint32_t first_id_;
  std::vector<Words> records_;                                                     // by id
  std::string strings_ = base_ == nullptr ? std::string(1, '\0') : std::string();  // behind those of the base
  std::map<std::string, std::uint32_t, std::less<>> offsets_;
  std::map<std::tuple<Kind, std::uint32_t, Words>, std::uint32_t> made_once_;
};

}  // namespace portolan::btf
