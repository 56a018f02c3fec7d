// SPDX-License-Identifier: Apache-2.0
#include "map/btf_object.h"

#include "abi/limits.h"

namespace portolan::map {
namespace {

constexpr std::uint64_t kBtfMagic = 0x31'4654'424c'5450ull;  // "PTLBTF1"
struct BtfHeader {                                           // the blob follows
  std::uint64_t magic;
  std::uint64_t size;
};

}  // namespace

// No lock, which a fork could leave locked: of two that parse at once, the second one's work is thrown away.
Result<const btf::Btf*> BtfObject::parsed() {
  const btf::Btf* parsed = parsed_.load_acquire();  // pairs with the exchange below
  if (parsed != nullptr) return parsed;
  auto mine = std::make_unique<const btf::Btf>(TRY(btf::Btf::parse(blob_)));
  if (!parsed_.cas_acq_rel(parsed, mine.get())) return parsed;
  return mine.release();
}

Result<object::Draft> draft_btf(object::Runtime& runtime, ConstBytes blob) {
  const std::uint64_t size = sizeof(BtfHeader) + blob.size();
  object::Draft draft = TRY(runtime.draft(object::Kind::kBtf, size, size, 0, 0));
  auto* header = draft.state.at<BtfHeader>(draft.payload_offset);
  *header = {kBtfMagic, blob.size()};
  std::memcpy(draft.state.at<std::byte>(draft.payload_offset + sizeof(BtfHeader), blob.size()), blob.data(),
              blob.size());
  return draft;
}

Result<std::unique_ptr<object::View>> make_btf_view(object::Mapped mapped) {
  const auto* header = mapped.state.at<BtfHeader>(mapped.payload_offset);
  if (header == nullptr || header->magic != kBtfMagic) return fail(EINVAL);
  const std::uint64_t size = header->size;
  const auto* bytes = mapped.state.at<std::byte>(mapped.payload_offset + sizeof(BtfHeader), size);
  if (bytes == nullptr || size > abi::kMaxBtfSize) return fail(EINVAL);
  return std::make_unique<BtfObject>(std::move(mapped), ConstBytes{bytes, size});
}

}  // namespace portolan::map
