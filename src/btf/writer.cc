// SPDX-License-Identifier: Apache-2.0
#include "btf/writer.h"

#include <cstring>

#include "base/assert.h"

namespace portolan::btf {

std::uint32_t Writer::reserve() {
  records_.emplace_back();
  return first_id_ + static_cast<std::uint32_t>(records_.size()) - 1;
}

void Writer::write(std::uint32_t id, Kind kind, std::string_view name, std::uint32_t size_or_type,
                   std::uint32_t vlen, Words words, bool kind_flag) {
  Words record = {string(name), abi::btf::make_info(kind, vlen, kind_flag), size_or_type};
  record.insert(record.end(), words.begin(), words.end());
  records_.at(id - first_id_) = std::move(record);
}

std::uint32_t Writer::add(Kind kind, std::string_view name, std::uint32_t size_or_type, std::uint32_t vlen,
                          Words words, bool kind_flag) {
  const std::uint32_t id = reserve();
  write(id, kind, name, size_or_type, vlen, std::move(words), kind_flag);
  return id;
}

std::uint32_t Writer::once(Kind kind, std::uint32_t type, Words words) {
  const auto [made, is_new] = made_once_.try_emplace({kind, type, words}, 0);
  if (is_new) made->second = add(kind, "", type, 0, std::move(words));
  return made->second;
}

std::uint32_t Writer::string(std::string_view text) {
  if (text.empty()) return 0;
  if (const auto known = offsets_.find(text); known != offsets_.end()) return known->second;
  const std::size_t base = base_ == nullptr ? 0 : base_->string_section().size();
  const auto offset = static_cast<std::uint32_t>(base + strings_.size());
  strings_.append(text).push_back('\0');
  offsets_.emplace(text, offset);
  return offset;
}

std::vector<std::byte> Writer::bytes() const {
  std::vector<std::byte> bytes(sizeof(abi::btf::Header));
  const auto append = [&bytes](ConstBytes more) { bytes.insert(bytes.end(), more.begin(), more.end()); };
  if (base_ != nullptr) append(base_->type_section());
  for (const Words& record : records_) {
    PORTOLAN_ASSERT(!record.empty());
    append(std::as_bytes(std::span(record)));
  }
  const auto type_len = static_cast<std::uint32_t>(bytes.size() - sizeof(abi::btf::Header));
  if (base_ != nullptr) append(base_->string_section());
  append(std::as_bytes(std::span(strings_)));
  const auto str_len = static_cast<std::uint32_t>(bytes.size() - sizeof(abi::btf::Header)) - type_len;
  const abi::btf::Header header{abi::btf::kMagic, abi::btf::kVersion, 0,      sizeof header, 0,
                                type_len,         type_len,           str_len};
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

}  // namespace portolan::btf
