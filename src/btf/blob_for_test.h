// SPDX-License-Identifier: Apache-2.0
// Writes BTF blobs, valid or not.
#pragma once
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "abi/btf.h"
#include "base/bytes.h"

namespace portolan::btf {

class Blob {
 public:
  using Kind = abi::btf::Kind;

  std::uint32_t string(std::string_view text) {
    if (text.empty()) return 0;
    const auto offset = static_cast<std::uint32_t>(strings_.size());
    strings_.append(text).push_back('\0');
    return offset;
  }
  // Returns the id. `size_or_type` and `words` are written as they are.
  std::uint32_t type(Kind kind, std::string_view name, std::uint32_t vlen, std::uint32_t size_or_type,
                     std::initializer_list<std::uint32_t> words = {}, bool kind_flag = false) {
    types_.insert(types_.end(), {string(name), abi::btf::make_info(kind, vlen, kind_flag), size_or_type});
    types_.insert(types_.end(), words);
    return ++last_id_;
  }

  std::uint32_t integer(std::string_view name, std::uint32_t size, std::uint32_t encoding = 0) {
    return type(Kind::kInt, name, 0, size, {encoding << 24 | size * 8});
  }
  std::uint32_t array(std::uint32_t element, std::uint32_t index, std::uint32_t count) {
    return type(Kind::kArray, "", 0, 0, {element, index, count});
  }
  struct Member {
    std::string_view name;
    std::uint32_t type;
    std::uint32_t bit_offset;
    std::uint32_t bitfield_size = 0;
  };
  std::uint32_t structure(std::string_view name, std::uint32_t size, std::initializer_list<Member> members,
                          bool kind_flag = false, Kind kind = Kind::kStruct) {
    const std::uint32_t id =
        type(kind, name, static_cast<std::uint32_t>(members.size()), size, {}, kind_flag);
    for (const Member& member : members)
      types_.insert(types_.end(),
                    {string(member.name), member.type, member.bitfield_size << 24 | member.bit_offset});
    return id;
  }
  std::uint32_t decl_tag(std::string_view text, std::uint32_t target, std::int32_t component = -1) {
    return type(Kind::kDeclTag, text, 0, target, {static_cast<std::uint32_t>(component)});
  }

  std::vector<std::byte> bytes() const {
    const auto type_len = static_cast<std::uint32_t>(types_.size() * sizeof types_[0]);
    const abi::btf::Header header{abi::btf::kMagic,
                                  abi::btf::kVersion,
                                  0,
                                  sizeof header,
                                  0,
                                  type_len,
                                  type_len,
                                  static_cast<std::uint32_t>(strings_.size())};
    std::vector<std::byte> bytes(sizeof header + type_len + strings_.size());
    std::memcpy(bytes.data(), &header, sizeof header);
    std::memcpy(bytes.data() + sizeof header, types_.data(), type_len);
    std::memcpy(bytes.data() + sizeof header + type_len, strings_.data(), strings_.size());
    return bytes;
  }

 private:
  std::vector<std::uint32_t> types_;
  std::string strings_ = std::string(1, '\0');
  std::uint32_t last_id_ = 0;
};

}  // namespace portolan::btf
