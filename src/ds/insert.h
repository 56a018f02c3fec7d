// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace portolan::ds {

// What an update asks of its key: anything, to be absent (else EEXIST), to be present (else ENOENT).
enum class Insert : std::uint8_t { kAny, kNoExist, kExist };

}  // namespace portolan::ds
