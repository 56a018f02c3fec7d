// SPDX-License-Identifier: Apache-2.0
// A loaded BTF blob as an object of the runtime: what maps and programs refer to by id.
#pragma once
#include <memory>

#include "btf/btf.h"
#include "object/runtime.h"

namespace portolan::map {

class BtfObject final : public object::View {
 public:
  BtfObject(object::Mapped mapped, ConstBytes blob) : View(std::move(mapped)), blob_(blob) {}
  ~BtfObject() override { delete parsed_.load_relaxed(); }
  // As BTF_LOAD took it. It lies in a region: rely on parsed() instead.
  ConstBytes blob() const { return blob_; }
  // Checked again, once per process: a copy that nobody else can write. EINVAL … as btf::Btf::parse.
  Result<const btf::Btf*> parsed();

 private:
  ConstBytes blob_;
  sync::Atomic<const btf::Btf*> parsed_;
};

// `blob` has been checked. ENOMEM.
Result<object::Draft> draft_btf(object::Runtime& runtime, ConstBytes blob);
// object::ViewFactory of BTF.
Result<std::unique_ptr<object::View>> make_btf_view(object::Mapped mapped);

}  // namespace portolan::map
