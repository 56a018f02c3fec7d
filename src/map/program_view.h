// SPDX-License-Identifier: Apache-2.0
// A program, as maps that hold programs see it.
#pragma once
#include <cstdint>

#include "object/runtime.h"

namespace portolan::map {

// What programs that call each other must have in common (bpf_prog_map_compatible).
struct ProgramTraits {
  std::uint32_t type = 0;  // abi::ProgType
  std::uint32_t expected_attach_type = 0;
  bool is_sleepable = false;
  bool has_frags = false;  // BPF_F_XDP_HAS_FRAGS
  friend bool operator==(const ProgramTraits&, const ProgramTraits&) = default;
};

class ProgramView : public object::View {
 public:
  using View::View;
  virtual ProgramTraits traits() const = 0;
  virtual bool is_extension() const = 0;
  // Whether an extension runs in the place of one of its functions.
  virtual bool is_extended() = 0;
};

}  // namespace portolan::map
